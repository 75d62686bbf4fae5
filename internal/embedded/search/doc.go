// Package search is the embedded Elasticsearch: the part of its REST interface
// that go-elasticsearch, Confluent's sink connector and the console use, over
// documents in pebble and an inverted index in bleve's scorch.
//
// Documents, versions, mappings, aliases and templates live in one pebble
// database, and every acknowledged write is in it, so it survives kill -9. Each
// index also has a scorch index, fed by a background indexer that follows the
// sequence numbers in the database: searches see a write shortly after it
// (refresh), reads by id at once. Queries are executed by this package on
// scorch's postings, with Lucene's BM25; those without scores on sets of documents.
// Orders, ranges and aggregations read doc values, or, once many are wanted, columns
// of a segment, which are kept in a bounded cache. Aggregators take documents in
// batches of one segment; hits are chosen by the ordinals of their values.
//
// Invariants:
//   - The database is the only truth. A scorch index says inside itself up to
//     which sequence number it has come; what lies behind that is indexed again
//     when it is opened, and one that is lost is built anew.
//   - A write, its sequence number, the mapping that it brought about and the
//     statistics that it changed are one atomic commit.
//   - A search looks at one snapshot from its first byte to its last, sources
//     included.
//   - Lock order: Server.requests, Server.catalog, index.writes, index.state. An
//     indexer takes index.state alone, and never waits for a writer.
//   - What is not supported is refused in Elasticsearch's own error form, never
//     ignored.
package search
