// Package requests answers the requests of the Kafka protocol, a file per kind:
// it puts together what the catalog, the logs and the group coordinator know, in
// the protocol's terms. Versions are those of Kafka 3.9; what it lists in
// [Server.APIs] is done fully.
//
// Invariants: an answer that acknowledges something is given only after the
// catalog, log or coordinator has stored it. There is one broker, node 1, which
// leads every partition in epoch 0 and coordinates every group. Transactions are
// refused.
package requests
