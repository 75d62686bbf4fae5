package registry_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/registry"
)

func deepRegistry(t *testing.T) func(method, path string, body any) *httptest.ResponseRecorder {
	t.Helper()
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Stop()) })
	r, err := registry.New(registry.Config{Brokers: []string{b.Addr()}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, r.Load(t.Context()))
	t.Cleanup(func() { require.NoError(t, r.Stop()) })
	return func(method, path string, body any) *httptest.ResponseRecorder {
		raw, err := json.Marshal(body)
		require.NoError(t, err)
		req := httptest.NewRequestWithContext(t.Context(), method, "http://registry"+path, strings.NewReader(string(raw)))
		req.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		r.Handler().ServeHTTP(answer, req)
		return answer
	}
}

func TestReferencesThatMeetAgainTakeNoTime(t *testing.T) {
	send := deepRegistry(t)
	var refs []map[string]any
	fields := ""
	for n := range 24 {
		began := time.Now()
		schema := fmt.Sprintf(`{"type":"record","name":"R%d","fields":[%s]}`, n, fields)
		answer := send(http.MethodPost, fmt.Sprintf("/subjects/r%d/versions", n), map[string]any{"schema": schema, "references": refs})
		require.Equal(t, http.StatusOK, answer.Code, "%d: %s", n, answer.Body)
		took := time.Since(began)
		t.Log(n, took)
		require.Less(t, took, 2*time.Second)
		ref := func(name string) map[string]any {
			return map[string]any{"name": name, "subject": fmt.Sprintf("r%d", n), "version": 1}
		}
		refs = []map[string]any{ref(fmt.Sprintf("R%d", n)), ref("again")}
		fields = fmt.Sprintf(`{"name":"f","type":"R%d"}`, n)
	}
}

func TestSchemasWhosePartsMeetAgainAreComparedInTime(t *testing.T) {
	send := deepRegistry(t)
	const levels = 40
	// Some thousand bytes in which there are 2^40 ways.
	jsonText := func(last string) string {
		var b strings.Builder
		b.WriteString(`{"type":"object","properties":{"x":{"$ref":"#/definitions/d0"}},"definitions":{`)
		for n := range levels {
			fmt.Fprintf(&b, `"d%d":{"type":"object","properties":{"a":{"$ref":"#/definitions/d%d"},"b":{"$ref":"#/definitions/d%d"}}},`, n, n+1, n+1)
		}
		fmt.Fprintf(&b, `"d%d":%s}}`, levels, last)
		return b.String()
	}
	avroText := func(last string) string {
		text := last
		for n := range levels {
			text = fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"a","type":%s},{"name":"b","type":"R%d"}]}`, n+1, text, n)
		}
		return text
	}
	for _, c := range []struct{ kind, one, other string }{
		{"AVRO", avroText(`{"type":"record","name":"R0","fields":[]}`), avroText(`{"type":"record","name":"R0","fields":[{"name":"x","type":"int","default":0}]}`)},
		{"JSON", jsonText(`{"type":"string"}`), jsonText(`{"type":"string","maxLength":5}`)},
		{"JSON", jsonText(`{"type":"string"}`), jsonText(`{"type":"string","title":"compatible"}`)},
	} {
		for _, text := range []string{c.one, c.other} {
			began := time.Now()
			answer := send(http.MethodPost, "/subjects/"+c.kind+"/versions", map[string]any{"schemaType": c.kind, "schema": text})
			require.Less(t, time.Since(began), 5*time.Second)
			require.Contains(t, []int{http.StatusOK, http.StatusConflict}, answer.Code)
		}
	}
}
