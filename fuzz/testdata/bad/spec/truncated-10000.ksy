meta:
  id: bad
  title: uLogger binary logs and crash dumps
  license: MIT
  ks-version: '0.11'
  endian: le
  bit-endian: be
  encoding: UTF-8

doc: |
  What an embedded device running the uLogger agent hands to its gateway, and
  what the gateway hands to the cloud. One binary log buffer is one MQTT
  payload; so is one crash dump. All integers are little-endian.
doc-ref: FORMAT sections 1 to 4

seq:
  - id: log
    type: log
    doc: The log buffer that a file holds; other types are parsed by name.

types:
  header_v1:
    doc: Log header written by agents up to 1.0.2.
    doc-ref: FORMAT section 1
    seq:
      - id: version
        type: u1
        valid: 1
        doc: Header version; selects the layout of the header and of each frame.
      - id: session_token
        type: u4
        doc: |
          Token of the device's current session; 0 until the gateway sets it.
          The checksum does not cover it.
        -mutable: true
      - id: sequence
        type: u4
        doc: Buffer sequence number; 0 in every buffer observed.
      - id: len_data
        type: u2
        valid:
          min: 0
          max: 65535
        doc: Length in bytes of the data that follows the header.
      - id: checksum
        type: u2
        doc: XOR of all data bytes in the low byte; the high byte is 0.

  header_v3:
    doc: Log header written by agents 1.1.0 to 1.2.2.
    doc-ref: FORMAT section 1
    seq:
      - id: version
        type: u1
        valid: 3
        doc: Header version; selects the layout of the header and of each frame.
      - id: session_token
        type: u4
        doc: |
          Token of the device's current session; 0 until the gateway sets it.
          The checksum does not cover it.
        -mutable: true
      - id: tick
        type: u4
        doc: |
          Tick counter of the device when it made the report, in device ticks;
          divide by tick_rate_hz for seconds.
      - id: tick_rate_hz
        type: u4
        doc: Device ticks a second, 32768 typically; 0 when no clock is configured.
      - id: len_data
        type: u2
        valid:
          min: 0
          max: 65535
        doc: Length in bytes of the data that follows the header.
      - id: checksum
        type: u2
        doc: XOR of all data bytes in the low byte; the high byte is 0.

  log_v1:
    doc: A whole log buffer with a version 1 header.
    doc-ref: FORMAT section 1
    seq:
      - id: header
        type: header_v1
        doc: Header of the buffer.
      - id: data
        size: header.len_data
        type: frames_v1
        doc: Frames back to back; the checksum covers exactly these bytes.
        -checksum:
          algorithm: xor8
          field: header.checksum

  log_v3:
    doc: A whole log buffer with a version 3 header.
    doc-ref: FORMAT section 1
    seq:
      - id: header
        type: header_v3
        doc: Header of the buffer.
      - id: data
        size: header.len_data
        type: frames_v3
        doc: Frames back to back; the checksum covers exactly these bytes.
        -checksum:
          algorithm: xor8
          field: header.checksum

  log:
    doc: |
      A log buffer of either version. Version 2 was never seen; from agent 1.2.3
      on the layout differs and is not known, so any other version is refused.
    doc-ref: FORMAT section 1
    -manual: format.Log reads both versions through one type.
    instances:
      version:
        pos: 0
        type: u1
        valid:
          any-of: [1, 3]
        doc: First byte of the buffer, the header version.
    seq:
      - id: body
        type:
          switch-on: version
          cases:
            1: log_v1
            3: log_v3
        doc: The buffer as its version lays it out.

  frame_header_v1:
    doc: Header of one frame in a version 1 log.
    doc-ref: FORMAT section 2
    seq:
      - id: len_payload
        type: u2
        valid:
          min: 6
          max: 65531
        doc: Length in bytes of the payload that follows the frame header.
      - id: sequence
        type: u2
        doc: Frames since boot; wraps at 65536. A jump means lost frames.

  frame_header_v3:
    doc: Header of one frame in a version 3 log.
    doc-ref: FORMAT section 2
    seq:
      - id: len_payload
        type: u2
        valid:
          min: 6
          max: 65529
        doc: Length in bytes of the payload that follows the frame header.
      - id: tick_delta
        type: u4
        doc: |
          Device ticks since the previous frame (since boot for the first ever),
          not an absolute time; divide by the header's tick_rate_hz for seconds.

  frame_v1:
    doc: One log record in a version 1 log.
    doc-ref: FORMAT section 2
    seq:
      - id: header
        type: frame_header_v1
        doc: Header of the frame.
      - id: payload
        size: header.len_payload
        type: payload
        doc: The record itself.

  frame_v3:
    doc: One log record in a version 3 log.
    doc-ref: FORMAT section 2
    seq:
      - id: header
        type: frame_header_v3
        doc: Header of the frame.
      - id: payload
        size: header.len_payload
        type: payload
        doc: The record itself.

  frames_v1:
    doc: The data of a version 1 log.
    doc-ref: FORMAT section 2
    -manual: format.Frames walks both versions.
    seq:
      - id: frames
        type: frame_v1
        repeat: eos
        doc: Frames back to back, without padding.

  frames_v3:
    doc: The data of a version 3 log.
    doc-ref: FORMAT section 2
    -manual: format.Frames walks both versions.
    seq:
      - id: frames
        type: frame_v3
        repeat: eos
        doc: Frames back to back, without padding.

  payload_header:
    doc: Fixed start of a record's payload.
    doc-ref: FORMAT section 2
    seq:
      - id: level
        type: b3
        enum: level
        doc: Severity of the record.
      - id: module
        type: b5
        doc: |
          Module number, the bit position in the firmware's module mask.
          Module 31 means always logged.
      - id: fmt_addr
        type: u4
        doc: Address of the printf format string in the firmware's ELF file.
      - id: num_args
        type: u1
        valid:
          min: 0
          max: 255
        doc: |
          Number of recorded arguments. Agents record at most 8 and drop the
          rest; a conversion they do not know stops the recording.

  payload:
    doc: One call of the device's log function.
    doc-ref: FORMAT section 2
    -manual: format.Payload decodes arguments lazily, without allocating.
    seq:
      - id: header
        type: payload_header
        doc: Fixed start of the payload.
      - id: packed_types
        type: u1
        repeat: expr
        repeat-expr: header.num_args
        valid:
          any-of: [
            0x11, 0x12, 0x14, 0x18,
            0x21, 0x22, 0x24, 0x28,
            0x31, 0x32, 0x34, 0x38,
            0x41, 0x42, 0x44, 0x48,
            0x51, 0x52, 0x54, 0x58,
            0x61, 0x62, 0x64, 0x68,
            0x78,
            0x80]
        doc: |
          One byte an argument: its arg_type in the high nibble, the number of
          its value bytes in the low one.
      - id: values
        type: argument(packed_types[_index])
        repeat: expr
        repeat-expr: header.num_args
        doc: Values of the arguments, concatenated in order.
      - id: strings
        type: string_section
        if: not _io.eof
        valid:
          expr: _io.eof
        doc: |
          Texts of the string arguments; absent when no string was stored, even
          where the format asked for one that was too long to keep.

  argument:
    doc: |
      Value of one argument. Integers are trimmed to 1, 2, 4 or 8 bytes: i32 and
      i64 are sign-extended, the others zero-extended. A string's bytes are in
      the string section.
    doc-ref: FORMAT section 2
    -manual: format.Arg holds any of the cases.
    params:
      - id: packed
        type: u1
        doc: Type and size of the argument, one element of packed_types.
    instances:
      type:
        value: packed >> 4
        enum: arg_type
        doc: Type of the argument.
    seq:
      - id: value
        type:
          switch-on: packed
          cases:
            0x11: s1
            0x12: s2
            0x14: s4
            0x18: s8
            0x21: u1
            0x22: u2
            0x24: u4
            0x28: u8
            0x31: s1
            0x32: s2
            0x34: s4
            0x38: s8
            0x41: u1
            0x42: u2
            0x44: u4
            0x48: u8
            0x51: u1
            0x52: u2
            0x54: u4
            0x58: u8
            0x61: u1
            0x62: u2
            0x64: u4
            0x68: u8
            0x78: f8
        doc: The value; nothing for a string.

  string_section_header:
    doc: Fixed start of the string section.
    doc-ref: FORMAT section 2
    seq:
      - id: num_strings
        type: u2
        valid:
          min: 0
          max: 32764
        doc: Number of strings stored.
      - id: len_blob
        type: u2
        valid:
          min: 0
          max: 65535
        doc: Length in bytes of the strings, their length fields included.

  string_section:
    doc: Texts of a record's string arguments, in the order of the arguments.
    doc-ref: FORMAT section 2
    seq:
      - id: header
        type: string_section_header
        doc: Fixed start of the section.
      - id: blob
        size: header.len_blob
        type: strings(header.num_strings)
        doc: The strings, back to back.

  strings:
    doc: Strings back to back.
    doc-ref: FORMAT section 2
    -manual: format.Strings yields them one by one.
    params:
      - id: num_strings
        type: u2
        doc: Number of strings, from the section's header.
    seq:
      - id: strings
        type: counted_string
        repeat: expr
        repeat-expr: num_strings
        doc: The stri