// Package search is how services use Elasticsearch: through its REST interface,
// with go-elasticsearch, whatever server answers.
//
// Invariants:
//   - An answer that isn't a success is an *Error with the server's own words.
//   - Nothing is retried here: the caller knows what may be repeated.
//   - Values from outside get into a query as JSON values, never as text of a query
//     language, but for Query.Text, which is searched as words.
package search
