# To add a header version N of the log:
#
#  1. Below log_v4 add header_vN, which begins with version (valid: N) and
#     session_token and has len_data and checksum, and log_vN. Fields that other
#     versions have too keep their id and type; they may lie anywhere, or be
#     missing. If its frames differ, add frame_header_vN, frame_vN and frames_vN.
#  2. In type log add N to any-of and to cases.
#  3. make generate, and in fuzz go test -run 'TestSeeds|TestBadInput' -update: gen
#     writes the layout, and format, its decoder and its builder go by that. No Go
#     code changes.
#  4. Add logs of a real agent to format/testdata and name the source of each new
#     fact in README.md, and there what of it is read by hand.
meta:
  id: ulogger
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
        doc: Version of the header, which decides its layout and that of each frame.
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
        doc: Version of the header, which decides its layout and that of each frame.
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

  header_v4:
    doc: Log header written by agents from 1.2.3 on.
    doc-ref: FORMAT section 1
    seq:
      - id: version
        type: u1
        valid: 4
        doc: Version of the header, which decides its layout and that of each frame.
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
      - id: epoch_time_us
        type: u8
        doc: |
          Microseconds since 1970 UTC, taken at the same instant as tick; 0 when
          the firmware has no clock. The checksum does not cover it.
        -mutable: true
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

  log_v4:
    doc: A whole log buffer with a version 4 header.
    doc-ref: FORMAT section 1
    seq:
      - id: header
        type: header_v4
        doc: Header of the buffer.
      - id: data
        size: header.len_data
        type: frames_v3
        doc: Frames back to back, those of version 3; the checksum covers exactly these bytes.
        -checksum:
          algorithm: xor8
          field: header.checksum
        -trailing: true

  log:
    doc: |
      A log buffer of any version. Versions 0, 2 and from 5 on were never seen
      from a device and are refused.
    doc-ref: FORMAT section 1
    -manual: format.Log reads all versions through one type, by the table of layouts.
    -layouts: true
    instances:
      version:
        pos: 0
        type: u1
        valid:
          any-of: [1, 3, 4]
        doc: First byte of the buffer, the header version.
    seq:
      - id: body
        type:
          switch-on: version
          cases:
            1: log_v1
            3: log_v3
            4: log_v4
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
    doc: Header of one frame in a version 3 or 4 log.
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
          Device ticks since the previous frame (since
          the agent was started for the first ever),
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
    doc: One log record in a version 3 or 4 log.
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
    -manual: format.Frames walks all versions.
    seq:
      - id: frames
        type: frame_v1
        repeat: eos
        doc: Frames back to back, without padding.

  frames_v3:
    doc: The data of a version 3 or 4 log.
    doc-ref: FORMAT section 2
    -manual: format.Frames walks all versions.
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
    -manual: format.Payload.Strings yields them one by one.
    params:
      - id: num_strings
        type: u2
        doc: Number of strings, from the section's header.
    seq:
      - id: strings
        type: counted_string
        repeat: expr
        repeat-expr: num_strings
        doc: The strings.
      - id: end
        size: 0
        valid:
          expr: _io.eof
        doc: Nothing follows the last string.

  counted_string:
    doc: One string with its length. It may hold any bytes; no NUL ends it.
    doc-ref: FORMAT section 2
    seq:
      - id: len_text
        type: u2
        valid:
          min: 0
          max: 65533
        doc: Length in bytes of the text.
      - id: text
        size: len_text
        doc: The bytes of the text, as the device stored them.

  debug_module:
    doc: |
      One element of the array ulogger_debug_modules in the ELF section
      .ulogger.debug_modules, which names the firmware's modules.
    doc-ref: FORMAT section 2
    seq:
      - id: name_address
        type: u4
        doc: Address of the module's NUL-terminated name in the ELF file.
      - id: mask
        type: u4
        doc: The module's bit in the module mask, 1 shifted left by its number.

  core_dump_header:
    doc: Header the agent puts before CrashCatcher's dump.
    doc-ref: FORMAT section 3
    seq:
      - id: len_total
        type: u4
        valid:
          min: 352
          max: '0xffffffff'
        doc: Length in bytes of the whole dump, this header included.
      - id: checksum
        type: u4
        doc: Sum of all bytes after this header, modulo 2 to the power of 32.
      - id: version
        type: u4
        valid: 1
        doc: Version of this header.
      - id: application_id
        type: u4
        doc: Application the firmware belongs to.
      - id: git_hash
        type: strz
        size: 44
        doc: Git commit of the firmware, at most 40 characters.
      - id: device_type
        type: strz
        size: 68
        doc: Kind of device, at most 64 characters.
      - id: device_serial
        type: strz
        size: 68
        doc: Serial number of the device, at most 64 characters.
      - id: version_string
        type: strz
        size: 68
        doc: Version of the firmware, at most 64 characters.

  core_dump:
    doc: A whole crash dump, one MQTT payload.
    doc-ref: FORMAT section 3
    seq:
      - id: header
        type: core_dump_header
        doc: What crashed, and where it came from.
      - id: crash
        size: header.len_total - 264
        type: crash_catcher
        doc: CrashCatcher's dump; the checksum covers exactly these bytes.
        -checksum:
          algorithm: sum32
          field: header.checksum

  crash_header:
    doc: Start of a CrashCatcher dump.
    doc-ref: FORMAT section 3
    seq:
      - id: magic
        contents: [0x63, 0x43, 0x03, 0x00]
        doc: Signature and version of CrashCatcher's format.
      - id: flags
        type: u4
        doc: Bit 0 is set when floating-point registers follow.

  registers:
    doc: Integer registers at the moment of the fault.
    doc-ref: FORMAT section 3
    seq:
      - id: r0
        type: u4
      - id: r1
        type: u4
      - id: r2
        type: u4
      - id: r3
        type: u4
      - id: r4
        type: u4
      - id: r5
        type: u4
      - id: r6
        type: u4
      - id: r7
        type: u4
      - id: r8
        type: u4
      - id: r9
        type: u4
      - id: r10
        type: u4
      - id: r11
        type: u4
      - id: r12
        type: u4
      - id: sp
        type: u4
        doc: Stack pointer before the exception.
      - id: lr
        type: u4
        doc: Link register, the return address of the faulting function.
      - id: pc
        type: u4
        doc: Program counter, the address of the faulting instruction.
      - id: xpsr
        type: u4
        doc: Program status register before the exception.
      - id: msp
        type: u4
        doc: Main stack pointer.
      - id: psp
        type: u4
        doc: Process stack pointer.
      - id: exception_psr
        type: u4
        doc: Program status register within the exception; its low 9 bits are the exception number.

  fp_registers:
    doc: Floating-point registers, as raw IEEE 754 single-precision bits.
    doc-ref: FORMAT section 3
    seq:
      - id: s0
        type: u4
      - id: s1
        type: u4
      - id: s2
        type: u4
      - id: s3
        type: u4
      - id: s4
        type: u4
      - id: s5
        type: u4
      - id: s6
        type: u4
      - id: s7
        type: u4
      - id: s8
        type: u4
      - id: s9
        type: u4
      - id: s10
        type: u4
      - id: s11
        type: u4
      - id: s12
        type: u4
      - id: s13
        type: u4
      - id: s14
        type: u4
      - id: s15
        type: u4
      - id: s16
        type: u4
      - id: s17
        type: u4
      - id: s18
        type: u4
      - id: s19
        type: u4
      - id: s20
        type: u4
      - id: s21
        type: u4
      - id: s22
        type: u4
      - id: s23
        type: u4
      - id: s24
        type: u4
      - id: s25
        type: u4
      - id: s26
        type: u4
      - id: s27
        type: u4
      - id: s28
        type: u4
      - id: s29
        type: u4
      - id: s30
        type: u4
      - id: s31
        type: u4
      - id: fpscr
        type: u4
        doc: Floating-point status and control register.

  crash_catcher:
    doc: |
      A dump in the format of CrashCatcher: registers, then memory regions to
      the end. A stack overflow is marked by one last word.
    doc-ref: FORMAT section 3
    -manual: format.CrashCatcher reads it, and walks its regions lazily.
    seq:
      - id: header
        type: crash_header
        doc: Start of the dump.
      - id: registers
        type: registers
        doc: Integer registers.
      - id: fp_registers
        type: fp_registers
        if: header.flags & 1 != 0
        doc: Floating-point registers; only where flags has bit 0 set.
      - id: regions
        type: memory_region
        repeat: until
        repeat-until: _io.size - _io.pos < 8
        if: _io.size - _io.pos >= 8
        doc: Dumped memory, up to the end.
      - id: stack_overflow
        type: u4
        if: not _io.eof
        valid:
          expr: _ == 0xed55ceac and _io.eof
        doc: |
          Present only when the device found that its stack had overflowed, and
          then the last word: the bytes AC CE 55 ED in this order.

  memory_region:
    doc: |
      One piece of dumped memory. The region from 0xE000ED28 to 0xE000ED3C holds
      the fault registers.
    doc-ref: FORMAT section 3
    seq:
      - id: start
        type: u4
        doc: Address of the first byte.
      - id: end
        type: u4
        valid:
          min: start
          max: '0xffffffff'
        doc: Address after the last byte.
      - id: data
        size: end - start
        doc: Contents of the memory from start to end.

  fault_registers:
    doc: |
      Fault status registers of a Cortex-M, which are the contents of the memory
      region from 0xE000ED28 to 0xE000ED3C.
    doc-ref: FORMAT section 3
    seq:
      - id: cfsr
        type: u4
        doc: Configurable fault status register.
      - id: hfsr
        type: u4
        doc: HardFault status register.
      - id: dfsr
        type: u4
        doc: Debug fault status register.
      - id: mmfar
        type: u4
        doc: MemManage fault address register.
      - id: bfar
        type: u4
        doc: BusFault address register.

  chunk:
    doc: |
      One BLE notification, which is a piece of a log or crash dump on its way
      from the device to the gateway.
    doc-ref: FORMAT section 4
    seq:
      - id: offset
        type: u2
        doc: Offset in bytes of this piece in the whole transfer.
      - id: len_total
        type: u2
        valid:
          min: 1
          max: 65535
        doc: Length in bytes of the whole transfer.
      - id: data
        size-eos: true
        doc: The piece, up to 16 bytes; more where a larger MTU was negotiated.

  chunk_ack:
    doc: The gateway's answer to a chunk.
    doc-ref: FORMAT section 4
    seq:
      - id: next_offset
        type: u2
        doc: Offset in bytes the gateway expects next; 0 starts or restarts a transfer.

  device_info:
    doc: What a device says of itself on the BLE config characteristic. Trailing strings may be missing.
    doc-ref: FORMAT section 4
    seq:
      - id: application_id
        type: u4
        doc: Application the firmware belongs to.
      - id: device_serial
        type: strz
        if: not _io.eof
        doc: Serial number of the device.
      - id: device_type
        type: strz
        if: not _io.eof
        doc: Kind of device.
      - id: git_version
        type: strz
        if: not _io.eof
        doc: Version of the firmware.
      - id: git_hash
        type: strz
        if: not _io.eof
        doc: Git commit of the firmware.

  log_config:
    doc: What a device is to log, set by the cloud.
    doc-ref: FORMAT section 4
    seq:
      - id: level
        type: u1
        enum: level
        valid:
          max: level::critical
        doc: Lowest severity that is logged.
      - id: module_flags
        type: u4
        doc: Mask of the modules that are logged; 0xffffffff is all.
      - id: timeout_seconds
        type: u4
        doc: Seconds after which the device returns to its own configuration.

enums:
  level:
    0: debug
    1: info
    2: warning
    3: error
    4: critical
    5: metric
  arg_type:
    1: i32
    2: u32
    3: i64
    4: u64
    5: pointer
    6: char
    7: double
    8: string
