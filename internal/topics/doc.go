// Package topics brings a Kafka cluster and its Schema Registry to what a
// definition asks for: topics with their partitions and settings, and the Avro
// schemas of their values.
//
// A definition is a folder with topics.json and *.avsc files (see package
// schemas for the project's own). [Plan] compares it with a cluster, and
// [Plan.Apply] makes the difference; doing it twice changes nothing.
//
// Invariants:
//   - Nothing is deleted, no partition is added to an existing topic (its keys
//     would no longer be where they are looked for) and no compatibility check
//     is bypassed. What would need that is a conflict, reported and refused
//     before anything is changed.
//   - Only settings that the definition names are compared and changed.
package topics
