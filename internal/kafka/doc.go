// Package kafka sets up the project's Kafka clients and turns Go values into
// Avro records and back.
//
// Its job is what every part that speaks the Kafka protocol has in common: one
// set of client defaults ([NewClient]), one way to write and read values by
// their schema id in a Schema Registry ([Registry]), one way to work on records
// at least once as a member of a group ([Group]), one to fold a topic into a
// state ([Follower]), and one to go on after failures ([Keep]).
//
// Invariants:
//   - Consumers made here read committed records only, unless one asks for all; producers are
//     idempotent and wait for all in-sync replicas.
//   - A value is written with a schema that the registry holds. Nothing is
//     registered here: schemas come from the schemas directory.
//   - A value is read with the schema that wrote it, taken from the registry by
//     the id in front of the payload. Ids never change their meaning, so a
//     schema is fetched once per process.
package kafka
