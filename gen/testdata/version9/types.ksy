  header_v9:
    doc: A header that no agent writes; its fields lie elsewhere, and one is new.
    doc-ref: none
    seq:
      - {id: version, type: u1, valid: 9, doc: Version.}
      - {id: session_token, type: u4, doc: Token., -mutable: true}
      - {id: flags, type: u1, doc: A field that no other version has.}
      - {id: epoch_time_us, type: u8, doc: Time., -mutable: true}
      - {id: tick_rate_hz, type: u4, doc: Rate.}
      - {id: checksum, type: u2, doc: XOR.}
      - {id: len_data, type: u2, valid: {min: 0, max: 65535}, doc: Length.}
      - {id: tick, type: u4, doc: Tick.}
  log_v9:
    doc: A log with such a header.
    doc-ref: none
    seq:
      - {id: header, type: header_v9, doc: Header.}
      - id: data
        size: header.len_data
        type: frames_v9
        doc: Frames.
        -checksum: {algorithm: xor8, field: header.checksum}
  frame_header_v9:
    doc: A frame that has both a number and ticks.
    doc-ref: none
    seq:
      - {id: tick_delta, type: u4, doc: Ticks.}
      - {id: sequence, type: u2, doc: Number.}
      - {id: len_payload, type: u2, valid: {min: 6, max: 65527}, doc: Length.}
  frame_v9:
    doc: One record.
    doc-ref: none
    seq:
      - {id: header, type: frame_header_v9, doc: Header.}
      - {id: payload, size: header.len_payload, type: payload, doc: Record.}
  frames_v9:
    doc: The data of such a log.
    doc-ref: none
    -manual: format.Frames walks all versions.
    seq:
      - {id: frames, type: frame_v9, repeat: eos, doc: Frames.}

