// Package sql holds the SQL that runs outside the migrations: the pull and push
// queries of the services, and the customers database.
//
// Invariant: a query is one statement, and every value that comes from outside gets
// into it through Query, as a quoted literal, or through QueryNumber, as a number.
package sql

import (
	"embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

//go:embed queries/*.sql
var queries embed.FS

// Customers is the schema of the customers database and its seed rows, for SQLite.
//
//go:embed customers.sql
var Customers string

// The queries, by the names of their files.
const (
	OrdersByID   = "orders_by_id"
	OrderChanges = "order_changes"
	PaymentsByID = "payments_by_id"
	FraudChanges = "fraud_changes"
	OrderCreated = "order_created"
	CustomerByID = "customer_by_id"
	ChecksByID   = "checks_by_id"
)

// Query returns the text of a query without its comments. Where it says ${ids}, the
// ids are put in as quoted literals; a query without that place takes none.
func Query(name string, ids ...string) (string, error) {
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = ksql.Quote(id)
	}
	return fill(name, "${ids}", strings.Join(quoted, ", "))
}

// QueryNumber returns the text of a query that says ${number}, with the number in place.
func QueryNumber(name string, number int64) (string, error) {
	return fill(name, "${number}", strconv.FormatInt(number, 10))
}

// fill reads a query and puts value in at place; an empty value is none.
func fill(name, place, value string) (string, error) {
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
	want := 0
	if value != "" {
		want = 1
	}
	if strings.Count(text, place) != want || strings.Count(text, "${") != want {
		return "", fmt.Errorf("filling in query %q: it was given %q for %s", name, value, place)
	}
	return strings.Replace(text, place, value, 1), nil
}
