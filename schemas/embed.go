// Package schemas holds what the services need of a cluster before the first
// migration: topics.json lists every topic that isn't created by a ksqlDB
// statement, and each NAME.avsc is the Avro schema of the registry subject
// NAME.
//
// Invariants:
//   - All topics that are joined have the same number of partitions, the one
//     at the top of topics.json (-1 replicas means the broker's default).
//   - Orders, validations, payments, event logs and ledgers are kept for ever;
//     an event log is never compacted, since compaction would remove the very
//     rows that decide.
//   - A released schema only changes compatibly.
package schemas

import "embed"

// Files holds topics.json and the *.avsc files.
//
//go:embed topics.json *.avsc
var Files embed.FS
