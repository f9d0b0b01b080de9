// Package text turns log records into text: it renders the printf formats of
// the firmware with the arguments that a device recorded, and decodes whole
// files of logs to lines or JSON.
//
// [ParseTemplate] reads a format once, [Template.Append] renders a record with it.
// [Decoder] does the rest for files: it finds the logs, chooses the firmware that
// each is of or refuses a file that none fits, filters, renders, sums up the
// device's ticks, and reports what was lost on the way. [Follow] gives it a file
// that still grows.
//
// # Which printf
//
// The output is that of newlib, the C library of the devices, in the C locale:
// flags - + space # 0 ', width, precision, the length modifiers h hh l ll j z t
// L q, and the conversions d i u x X o D U O c s p f F e E g G a A n and %%. Widths and
// precisions above [MaxWidth] are cut to it. In one thing we differ from newlib: a
// mistake in the format (%y, a single % at the end) stays visible as it stands
// there. glibc differs from newlib in these points:
//
//   - %p of 0 is "0x0", glibc writes "(nil)"; %p knows no sign flag.
//   - a zero flag pads %s and %c with zeros, glibc pads with spaces.
//   - %a of a subnormal number is normalised (0x1p-1074), glibc keeps the
//     exponent at -1022 (0x0.0000000000001p-1022).
//   - %#g keeps its zeros where rounding reaches the next power of ten
//     (1.00000e+06 for 999999.5), glibc up to 2.36 at least drops them (1.e+06).
//
// # What a device records, and what it does not
//
// An agent reads the arguments of a call by the format, but skips conversions that
// it does not know (%h %hh %z %j %t %q %L %a %A %F %n %' and every *) without taking
// their argument, and takes eight bytes for %ld, where four were passed. So what it
// records under one conversion can be the argument of another one, or two of them.
// Both walks over the argument list are known from the format, for a caller and an
// agent with the 32-bit ARM calling convention; those of 64 bits and RISC-V are not
// read. [ParseTemplate] compares the two once, and each recorded value is shown where it
// belongs. Then
//
//   - a value without a mark is what printf shows;
//   - <missing> stands for what was not recorded: arguments that no conversion the
//     agent knows has read, those beyond the eighth, strings that were too long;
//   - a question mark follows a value that may be another one, as in "5?": of which
//     one byte was recorded under %c or the low half of eight bytes, a string where
//     another string of the call was dropped, which need not be the last one, and
//     every value of a record that does not fit its format;
//   - <i32 5> is a recorded argument that the format has no use for.
//
// A record also fits a format whose conversions were all recorded in their order,
// as an agent that knows them would. Behind a % that ends a format agents read on in
// whatever string comes next, and what they record of it is left out.
//
// Source: FORMAT section 2; measured with agents 1.2.2 and 1.2.3
// (testdata/kinds.json.gz and calls.json.gz).
//
// # Which firmware
//
// With several dictionaries each log is decoded with the one that its records
// speak least against, since a device is updated between two logs. A record
// speaks against a dictionary that has no string at its address, or one that
// takes other arguments. Of dictionaries that fit equally well that of the log
// before is taken; at the beginning of a file logs wait for the first one that
// tells, for at most 4 KiB of logs, and are then taken for the first dictionary's.
// The report counts the records that another which fits as well reads differently.
//
// When other dictionaries appear while a file is read, the last one that fitted
// a log better than all others stays, whatever became of its file, since a device
// runs a build until it is updated. A log that fits several is still taken for
// that of the log before, but where that is not there any more, for the new one's.
//
// Overlays, sections that take turns in the same memory, can have several strings at one
// address. A record is then shown by the first of those that begin there which it fits.
// Where it fits more the report counts it, and JSON has them as other_fmts.
//
// A file is refused if too many addresses in its first 64 KiB of logs fit none of
// the dictionaries. While a few do not, logs wait for what more evidence says.
// What is decided does not depend on how the bytes are read. After that, and with
// Force, records that do not fit are shown as far as they can be, and are lost.
//
// # Time
//
// Package clock puts logs on one time line: it tells restarts from wraps of the
// counter, finds logs that came twice, in another order or not at all, and takes wall
// time from what devices or their receivers know of it. [Decoder.Timeline] does that
// for whole files, in the order in which the device wrote their logs; a log that came
// twice is shown once. [Decoder.Decode] does it for a stream as it comes, and lets what
// it has shown stand. The time of a record is that of the device's counter, in
// seconds, with the most that it may be off in JSON. What contradicts itself is told
// with its logs; that frames are missing between two counts as loss.
//
// # JSON
//
// A record is one object with the keys v (1), kind, file, index (of the record in the
// file, filtered ones counted), log (index of its log), offset (of its frame), boot,
// tick, seconds, device_time and device_time_error_us or sequence, time and
// time_error_us (wall time, where that is known), level, module, module_name,
// fmt_addr, fmt, source, args (type, value and certain), other_fmts (of overlays),
// text, and metric (name and value). With a format args are the arguments of the call,
// with value null and certain false for one that was not recorded; what was recorded
// is then in payload_hex, unless args tell it. One that cannot be rendered has text
// null and a reason. One that cannot even be read has its bytes in payload_hex, and so
// has one that no agent records, with too many arguments or too large ones. One from a
// damaged range has damaged true. Text that is not UTF-8 has its bytes in text_hex, a
// string in hex, and a double that JSON has no number for its 64 bits in bits. Rows of
// this kind can be decoded again. They do not tell which log a record was in, so with
// several dictionaries each row is judged by itself: a record that fits several can
// read differently than in its log, where others would tell. The report counts those;
// to have them right, decode the logs.
//
// # Guarantees
//
// Rendering appends to the caller's buffer and allocates nothing else. Any
// format and any record give text; its length is at most [MaxWidth] bytes for
// each argument, plus the format, the strings and a few bytes for each
// conversion. A Template may be used by several goroutines.
package text
