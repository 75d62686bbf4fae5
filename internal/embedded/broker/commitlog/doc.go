// Package commitlog is the log of one partition: record batches in segment
// files, as they were received, with a sparse index by offset and time.
//
// # Files
//
// A partition's directory has, per segment, BASE.log with the batches and
// BASE.index (see [indexHeader]), where BASE is the offset of the segment's first
// record, and one file "checkpoint" (see [checkpoint]) that says up to where the
// last segment was looked at. A directory without files is an empty log.
//
// # Invariants
//
//   - What Append returned without an error is there after a kill -9; with
//     Env.Sync what Durable returned without an error is there after a power
//     failure, and nobody reads anything else.
//   - Batches are in the order of their offsets, without overlaps. An offset is
//     never given out twice.
//   - Recovery drops only bytes at the end that no sound batch follows, which
//     were never acknowledged. A damaged batch elsewhere is reported and skipped;
//     those behind it stay readable.
//   - Index and checkpoint can be lost: they are made again from the batches.
//   - Compaction removes a record only when its key has a newer one, or when it
//     only deleted its key and readers had their time to see it. It never changes
//     the segment that is appended to, or an offset.
//   - Opening reads the batches that were appended since the last checkpoint, not
//     whole segments, as long as the machine ran on since then.
//   - A log holds no file open; Env.Handles does.
//
// A Log's own lock is taken last: nothing else is locked while it is held, but
// the handles of Env.
package commitlog
