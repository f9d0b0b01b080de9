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
       