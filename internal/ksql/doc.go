// Package ksql is a client of the ksqlDB REST API.
//
// It sends statements (Exec), runs pull and push queries as a stream of rows
// (Query, Rows) that are scanned value by value or into structs (Scan,
// ScanStruct, Collect), asks for the state of the server and of its objects (Info,
// Health, ListQueries, Describe) and has the text tools that statements need
// (Quote, Identifier, Split).
//
// Invariants:
//   - No number of an answer passes through a float64 on its way to the
//     caller, unless the caller scans it into one.
//   - Every call takes a context and ends when the context does. No goroutine
//     outlives the call that started it, or Rows.Close.
//   - A query that is left early, or whose context ends, is also ended on the
//     server.
//   - Only calls that change nothing on the server are tried again (Retry).
//   - A refusal of the server is an *Error; nothing is printed or logged in
//     its place.
//   - Statement texts reach the server byte for byte as they were given.
//
// github.com/thmeitz/ksqldb-go is used for the request types and the small
// end points, through a transport of this package; see
// docs/adr/0003-ksqldb-client.md for what it is not used for and why.
package ksql
