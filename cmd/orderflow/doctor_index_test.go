package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// command runs orderflow against a process's servers and gives what it wrote.
func (p *process) command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := orderflow(t, append(args,
		"--kafka", p.kafka(), "--schema-registry", p.addr["Schema Registry"], "--connect", p.addr["Connect"], "--elasticsearch", p.elastic())...).CombinedOutput()
	return string(out), err
}

// TestTheIndexIsProvenAndMadeAnew breaks the search index of a running system, has
// doctor find what is wrong, and makes it anew.
func TestTheIndexIsProvenAndMadeAnew(t *testing.T) {
	p := startUp(t, t.TempDir())
	p.stock(t, "JUMPERS", 100)
	for i := range 20 {
		p.order(t, fmt.Sprintf("o-%02d", i), 1, "JUMPERS", 1+i%3, 5)
	}
	for i := range 20 {
		p.decision(t, fmt.Sprintf("o-%02d", i))
	}
	out, err := p.command(t, "doctor", "--verify-index")
	require.NoError(t, err, out)
	require.Contains(t, out, "20 orders and 20 documents compared")
	require.Contains(t, out, "the search index is equal to the last state of every order")

	require.Equal(t, http.StatusOK, call(t, http.MethodDelete, p.elastic()+"/orders.v1/_doc/o-03", "").status)
	require.Equal(t, http.StatusCreated, call(t, http.MethodPut, p.elastic()+"/orders.v1/_doc/o-99?refresh", `{"id":"o-99"}`).status)
	out, err = p.command(t, "doctor", "--verify-index", "--patience", "1ms")
	require.Error(t, err, out)
	require.Contains(t, out, "missing   o-03")
	require.Contains(t, out, "extra     o-99")
	require.Contains(t, out, "differs from the orders at 2 ids")

	out, err = p.command(t, "connectors", "rebuild-index")
	require.NoError(t, err, out)
	require.Contains(t, out, "deleting the index orders.v1")
	out, err = p.command(t, "doctor", "--verify-index")
	require.NoError(t, err, out)
	mapping := string(call(t, http.MethodGet, p.elastic()+"/orders.v1/_mapping", "").body)
	require.True(t, strings.Contains(mapping, `"id":{"type":"keyword"}`), "the index came back with its mapping: %s", mapping)

	out, err = p.command(t, "connectors", "rebuild-index", "customers")
	require.Error(t, err)
	require.Contains(t, out, "only the indexes of an io.confluent.connect.elasticsearch.ElasticsearchSinkConnector can be made anew")
}
