// Package dict finds the format strings, module names and source lines of a
// firmware by the addresses that its devices log instead of text.
//
// [Load] reads a linked firmware file, or a dictionary file made of one.
// [Dictionary.Format] tells the string at an address, [Dictionary.Begins]
// whether the firmware uses it as one, [Dictionary.Module] the name of a
// module and [Dictionary.Sources] the lines of code that log the string.
//
// A dictionary file holds the strings alone, so that the firmware need not be
// handed out: [Dictionary.WriteJSON] and [Dictionary.WriteCSV] write one, and
// [FromStrings] makes a dictionary of a map. [Store] keeps the dictionaries of
// many firmware versions and follows the files as they change.
//
// # What is looked at
//
// Strings are found in every section with contents that is loaded to the device
// (.rodata, .text, .data and others), since firmware keeps them in any of these;
// in a file without sections, in its segments. Linkers let a string share the
// end of a longer one, so an address in the middle of a string can be right.
//
// Module names come from the section .ulogger.debug_modules, through the symbols
// ulogger_debug_modules and ulogger_debug_modules_count or, in a stripped file,
// by the order of array and count in which everything makes sense.
//
// Source lines need a DWARF line table and Arm Thumb code, in which the
// instructions that load a string's address can be recognised.
//
// Source: FORMAT section 2; the ELF specification 1.2; DWARF 2 to 5, section
// 6.2; the Arm v7-M architecture reference manual, A7.7.
//
// # Guarantees
//
// A firmware file is foreign input. Whatever its bytes, reading it gives a
// dictionary or an error, in time and memory that grow with the file at most,
// and with no more than [MaxFile] and [MaxLoaded] bytes of it.
//
// A Dictionary may be used by several goroutines.
package dict
