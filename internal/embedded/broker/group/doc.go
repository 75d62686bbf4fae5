// Package group is the coordinator of classic consumer groups (KIP-62, KIP-345,
// KIP-394): who is in a group, who reads what, and how far each group has read.
// It answers requests of the protocol; a request that waits for other members
// waits in its call.
//
// Committed offsets and each group's generation are kept in a journal with the
// keys "offset/GROUP NUL TOPIC NUL PARTITION" and "group/GROUP". Members are not:
// after a restart they join again.
//
// Invariants: a commit that was answered without an error is there after a kill
// -9. A generation of a group has one assignment, which its leader made; a
// member of an older one can neither commit nor get one. Offsets are kept until
// they or their topic are deleted.
//
// Locks: that of the coordinator, then that of one group.
package group
