package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/customers"
	"github.com/orderflow/orderflow/internal/verify"
)

// TestEverythingIsVerifiedFromOutside has doctor check a running system, and find what
// is planted in it.
func TestEverythingIsVerifiedFromOutside(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, customers.Prepare(t.Context(), customersDB(dir), true))
	p := startUp(t, dir)
	p.awaitCustomer(t, 1)
	p.stock(t, "JUMPERS", 20)
	for i := range 12 {
		id := fmt.Sprintf("o-%02d", i)
		p.order(t, id, 1, "JUMPERS", 1+i%3, 5)
		call(t, http.MethodPost, p.api()+"/v1/payments", fmt.Sprintf(`{"id":"p-%d","orderId":%q,"ccy":"EUR","amount":5}`, i, id))
	}
	for i := range 12 {
		p.decision(t, fmt.Sprintf("o-%02d", i))
	}
	args := []string{"doctor", "--api-listen", strings.TrimPrefix(p.api(), "http://"), "--ksqldb", p.ksqldb(), "--output", "json"}
	run := func(args ...string) (verification, error) {
		out, err := p.command(t, args...)
		var v verification
		begin := 0
		for begin < len(out) && out[begin] != '{' {
			begin++
		}
		require.NoError(t, json.NewDecoder(strings.NewReader(out[begin:])).Decode(&v), out)
		return v, err
	}
	v, err := run(append(args, "--verify")...)
	require.NoError(t, err, "%+v", v)
	require.Empty(t, v.Findings)
	require.Empty(t, v.Unchecked)
	require.Equal(t, 12, v.Orders)
	require.Equal(t, 12, v.Decided)
	require.Equal(t, 12, v.Emails)

	// A second final record, and a document that is gone.
	client, err := kgo.NewClient(kgo.SeedBrokers(p.kafka()))
	require.NoError(t, err)
	defer client.Close()
	records := p.recordsOf(t, "orders.v1", "o-03")
	final := records[len(records)-1]
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "orders.v1", Key: final.Key, Value: final.Value}).FirstErr())
	require.Equal(t, http.StatusOK, call(t, http.MethodDelete, p.elastic()+"/orders.v1/_doc/o-04", "").status)
	v, err = run(append(args, "--verify", "--patience", "1s")...)
	require.Error(t, err)
	rules := map[verify.Rule]string{}
	for _, f := range v.Findings {
		rules[f.Rule] = f.Subject
	}
	require.Equal(t, "o-03", rules[verify.RuleFinalOnce], "%+v", v.Findings)
	require.Equal(t, "o-04", rules[verify.RuleIndex], "%+v", v.Findings)
	out, err := p.command(t, "doctor", "--api-listen", strings.TrimPrefix(p.api(), "http://"), "--ksqldb", p.ksqldb(), "--verify", "--patience", "1s")
	require.Error(t, err)
	require.Contains(t, out, "WRONG  one final record of each order: o-03")
}
