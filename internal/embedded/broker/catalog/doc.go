// Package catalog has the broker's topics and the logs of their partitions, and
// hands out producer ids.
//
// A data directory has the journal "catalog" (keys "topic/NAME", "start/NAME/
// PARTITION", "gone/DIRECTORY" for a deleted topic whose files may still be there,
// "producer-ids", "cluster-id"), and a directory "topics" with one
// per topic, named by its name and id, in it one per partition, named by its
// number. A partition that nothing was written to has no directory.
//
// Invariants: what a method reported as done is there after a kill -9. A deleted
// topic's records never show up in one of the same name, since that has another
// id. A producer id is never handed out twice.
package catalog
