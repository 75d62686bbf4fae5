// Package registry is the embedded Schema Registry: Confluent's REST interface
// over a compacted Kafka topic.
//
// Subjects with numbered versions, ids that schemas of the same content share,
// compatibility levels, modes, contexts, references, soft and permanent deletes
// answer as Confluent Schema Registry 7.9 does. Schemas are read, written and
// compared with the texts, verdicts and messages of its libraries: packages
// avroschema, jsonschema and protobufschema.
//
// Invariants:
//   - The topic is the only truth, in Confluent's own record format. What a
//     write changes is in memory only after the broker has acknowledged its
//     record, and a new instance that reads the topic has the same state.
//   - One instance writes a topic at a time: where others could, it holds a lease.
//     What was written by others all the same is read before each write.
//   - An id is never given to another schema, also not after a permanent delete.
//   - A verdict on compatibility is never guessed.
package registry
