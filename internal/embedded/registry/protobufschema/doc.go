// Package protobufschema reads Protobuf schemas as Confluent's registry does,
// writes them in its text form and tells whether messages of one can be read
// with another.
//
// The registry parses with Square's Wire, which asks for less than Google's
// compiler (fields may share a number), and for more in places (a field of
// proto2 needs a label). Its errors and texts are what clients see, which a
// compiler library doesn't give.
//
// Invariants:
//   - A parsed [Schema] and everything below it is never changed.
//   - The text of a schema parses to a schema with the same text. Comments and
//     white space don't count.
//   - Nothing is loaded from files: what a schema imports is handed over with
//     it. Google's and Confluent's well-known files need not be.
package protobufschema
