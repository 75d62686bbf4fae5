// Package avroschema reads Avro schemas as Apache Avro's Java library does,
// writes them in its text form and tells whether data of one can be read with
// another.
//
// A Schema Registry compares schemas by their text and explains what is
// incompatible path by path, so what counts is Java's text, its checks and the
// words of its errors, which an encoding library doesn't give.
//
// Invariants:
//   - A parsed [Schema] and everything below it is never changed.
//   - The text of a schema parses to a schema with the same text.
//   - Custom properties keep their order and their values; white space, the
//     order of Avro's own attributes and superfluous nesting don't count.
package avroschema
