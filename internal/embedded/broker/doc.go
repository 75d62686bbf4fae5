// Package broker is the embedded Kafka broker: kfake as a plain durable log
// with a data directory, behind a guard that keeps its known faults away from
// users. docs/adr/0002-embedded-broker.md lists the faults and their guards.
//
// The rest of the process knows it only as an address that speaks the Kafka
// protocol, plus [Broker.Start], [Broker.Stop] and [Broker.Addr], so that
// another log can take kfake's place.
//
// Invariants:
//   - What was acknowledged (records, committed offsets, topics) is there again
//     after a stop or a kill -9.
//   - Only one broker works on a data directory, held by a file lock.
//   - Nothing is compacted and nothing is trimmed but by a DeleteRecords
//     request, which leaves at least the newest record of a partition and never
//     touches a topic whose cleanup policy contains "compact". Topics report
//     the policy and retention that were asked for.
//   - A frame that kfake can't take is never handed to it: the connection is
//     closed.
//   - There are no transactions.
package broker
