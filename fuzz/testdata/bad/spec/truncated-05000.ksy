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
    doc-ref: FO