// Package broker is the embedded Kafka broker: one node, in this process, that
// speaks the Kafka protocol and keeps everything in a data directory.
// docs/adr/0008-own-broker.md says why it is our own.
//
// The packages below it, lowest first: disk (files), refusal (errors for
// clients), batch (record batches), journal (a small durable map), commitlog (the
// log of one partition), settings, catalog (topics), group (consumer groups),
// login (SASL), layout (how requests lie in their bytes), wire (connections),
// requests. The rest of the process knows the broker only as an address that speaks
// the Kafka protocol, plus [Broker.Start], [Broker.Stop], [Broker.Addr] and, where
// strangers have to log in, [Broker.Dial].
//
// Invariants:
//   - What was acknowledged (records, committed offsets, topics, trimmed offsets)
//     is there again after a stop or a kill -9; with Config.SyncWrites after a
//     power failure, too.
//   - Only one broker works on a data directory, held by a file lock.
//   - Nothing a client sends harms anything but its own connection.
//   - Records are removed by a topic's retention, but not before all groups that
//     Config.ProtectGroup names, and who Config.Unread speaks for, have read them,
//     and by DeleteRecords. Of compacted topics, a record goes once its key has a
//     newer one.
//   - With too little disk space, whatever needs some is refused with errors that
//     clients retry, and goes on by itself once there is space.
//   - With TLS or credentials, nothing but a login is answered in clear text or
//     before the login; clients of this process come in by [Broker.Dial].
//   - There are no transactions.
package broker
