// Package migrate applies versioned files of ksqlDB statements, once and in
// order, and keeps in ksqlDB itself which ones were applied.
//
// It takes up projects of ksql-migrations and gives them back: the file names
// (V000001__name.sql), the stream MIGRATION_EVENTS and the table
// MIGRATION_SCHEMA_VERSIONS with their columns and topics, the states and the
// MD5 checksums are that tool's. What it has no place for (how far a file is, its
// text, a lock) is in a second stream and table, the journal; see
// docs/adr/0010-migration-journal.md.
//
// Invariants:
//   - A file runs only after the files that were applied before still have the
//     content they were applied with.
//   - All files of a run are read, divided into statements and their variables
//     filled in before the first statement is sent.
//   - Before a statement is sent, the journal has it, with what stood on the
//     server before it. So a file that failed or was cut off goes on where it
//     was left, and no statement is carried out twice; where that cannot be
//     found out, nothing is sent.
//   - Statements run one at a time, each after the server has finished the one
//     before it.
//   - Whatever happens to a file, its last event says: MIGRATED after all of it
//     ran, ERROR with the reason after it stopped, RUNNING only when the
//     migrator itself was cut off or lost its lock.
//   - Right before anything is sent that changes the server, the lock is asked
//     whether it is still held.
package migrate
