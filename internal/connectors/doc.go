// Package connectors brings a Kafka Connect cluster to what the files of connectors/
// say: it reads the files, puts in the values that differ from cluster to cluster,
// shows what would change, and changes it over Connect's REST interface.
//
// Invariants: a configuration is validated by the cluster before anything is
// changed; applying twice changes nothing the second time; a connector that no
// file describes is touched only when pruning is asked for.
package connectors
