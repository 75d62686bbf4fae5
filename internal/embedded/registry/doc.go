// Package registry is the embedded Schema Registry: Confluent's REST interface
// over a compacted Kafka topic.
//
// Subjects with numbered versions, ids that schemas of the same content share,
// compatibility levels, modes, contexts, references, soft and permanent deletes
// answer as Confluent Schema Registry 7.9 does. Avro schemas are compared with
// the verdicts and messages of Java's library (package avroschema). JSON and
// Protobuf schemas are stored and found; comparing them is refused unless the
// level is NONE.
//
// Invariants:
//   - The topic is the only truth, in Confluent's own record format. What a
//     write changes is in memory only after the broker has acknowledged its
//     record, and a new instance that reads the topic has the same state.
//   - One instance writes a topic at a time.
//   - An id is never given to another schema, also not after a permanent delete.
//   - A verdict on compatibility is never guessed.
package registry
