// Package jsonschema reads JSON schemas as Confluent's registry does, writes
// them in its text form and tells whether data of one is valid with another.
//
// A registry compares schemas by their text and explains what is incompatible
// path by path, so what counts is how the real one's libraries (Jackson, everit
// for drafts 4 to 7, jsonsKema for 2019-09 and 2020-12) understand a schema,
// which a library that only validates data doesn't tell.
//
// Invariants:
//   - A parsed [Schema] and everything below it is never changed.
//   - The text of a schema parses to a schema with the same text.
//   - Nothing is loaded from files or the network: what a schema refers to is
//     handed over with it.
package jsonschema
