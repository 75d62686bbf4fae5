// Package sql holds the SQL that runs outside the migrations: the pull and push
// queries of the services.
//
// Invariant: a query is one statement, and every value that comes from outside gets
// into it through Query, as a quoted literal.
package sql

import (
	"embed"
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

//go:embed queries/*.sql
var queries embed.FS

// The queries, by the names of their files.
const (
	OrdersByID   = "orders_by_id"
	OrderChanges = "order_changes"
	PaymentsByID = "payments_by_id"
	FraudChanges = "fraud_changes"
)

// Query returns the text of a query without its comments. Where it says ${ids}, the
// ids are put in as quoted literals; a query without that place takes none.
func Query(name string, ids ...string) (string, error) {
	data, err := queries.ReadFile("queries/" + name + ".sql")
	if err != nil {
		return "", fmt.Errorf("looking up query %q: %w", name, err)
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	text := strings.Join(lines, " ")
	const place = "${ids}"
	if strings.Contains(text, place) != (len(ids) > 0) {
		return "", fmt.Errorf("filling in query %q: it was given %d ids", name, len(ids))
	}
	if len(ids) == 0 {
		return text, nil
	}
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = ksql.Quote(id)
	}
	return strings.Replace(text, place, strings.Join(quoted, ", "), 1), nil
}
