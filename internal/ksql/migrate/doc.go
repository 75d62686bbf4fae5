// Package migrate applies versioned files of ksqlDB statements, once and in
// order, and keeps in ksqlDB itself which ones were applied.
//
// It takes up projects of ksql-migrations and gives them back: the file names
// (V000001__name.sql), the stream MIGRATION_EVENTS and the table
// MIGRATION_SCHEMA_VERSIONS with their columns and topics, the states and the
// MD5 checksums are that tool's.
//
// Invariants:
//   - A file runs only after the files that were applied before still have the
//     content they were applied with.
//   - All files of a run are read, divided into statements and their variables
//     filled in before the first statement is sent.
//   - Statements run one at a time, each after the server has finished the one
//     before it.
//   - Whatever happens to a file, its last event says: MIGRATED after all of it
//     ran, ERROR with the reason after it stopped, RUNNING only when the
//     migrator itself was cut off.
package migrate
