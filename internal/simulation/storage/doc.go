// Package storage simulates what the embedded broker keeps on its disk: topics with
// their logs, idempotent producers, trimmed offsets and the offsets that groups
// commit, all with the broker's own code, over a disk that fails as a seed says. What
// is there after each start is compared with a model of what was acknowledged.
//
// The faults: the process is killed, or its machine ends, between any two bytes of any
// write and between any two changes of files, also while it starts; the disk runs
// full; writes, syncs and removals fail; records come while a sync is under way.
//
// What is demanded after a start:
//   - What was acknowledged, or has been read, is there: records byte for byte at
//     their offsets, committed offsets, topics, and the start that a log was trimmed
//     to. Only retention, trimming and compaction take records away, by their rules.
//   - What was not acknowledged is there once or not at all, and of changes that
//     belong together all are or none.
//   - Offsets are neither given out twice nor left out, committed ones don't go back,
//     and the id of a producer is given out once.
//   - A batch that an idempotent producer sends again is known.
//   - The broker starts.
//
// Without Config.Sync of its parts, the broker promises this for a killed process, and
// for a machine that ends only that it starts and that what is left is sound.
//
// Invariant: the same seed and options have the same outcome. Everything runs in one
// goroutine, and nothing but the seed decides.
package storage
