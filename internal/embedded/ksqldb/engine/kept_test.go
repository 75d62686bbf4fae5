package engine

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// counted is the one number in the table that the query of an id keeps; 0 for none.
func (m *metastore) counted(id string) (n int64) {
	m.t.Helper()
	table, err := m.runtime.Table(id)
	require.NoError(m.t, err)
	require.NoError(m.t, table.Scan(nil, nil, func(row *types.Row) bool {
		n = row.Value[0].Int()
		return true
	}))
	return n
}

// produceOne writes a row of stream one and waits until so many are counted.
func (m *metastore) produceOne(query string, want int64) {
	m.t.Helper()
	rec := &kgo.Record{Topic: "one", Key: []byte("a"), Value: []byte(`{"V":1}`)}
	require.NoError(m.t, m.client.ProduceSync(m.t.Context(), rec).FirstErr())
	require.Eventually(m.t, func() bool { return m.counted(query) == want }, 5*time.Second, 5*time.Millisecond)
}

func TestAQueryWhoseReplacementSeemedNotToBeLoggedKeepsItsState(t *testing.T) {
	m := openMetastore(t)
	m.run(createOne + "CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM one GROUP BY k;")
	id := m.Catalog().Queries()[0].ID
	m.produceOne(id, 1)
	m.log("table/`C`/create", "CREATE OR REPLACE TABLE c AS SELECT k, COUNT(*) AS n FROM one WHERE v > 0 GROUP BY k;")
	m.commands.uncertain = true
	m.run("CREATE TYPE t AS INT;")
	require.Contains(t, m.Catalog().Queries()[0].SQL, "WHERE")
	m.produceOne(id, 2)
}

// aRegistry has one schema, of which it knows nothing while it is away.
func aRegistry(t *testing.T) (url string, away *atomic.Bool) {
	away = &atomic.Bool{}
	schema := `{"schemaType":"AVRO","subject":"one-value","version":1,"id":1,"schema":"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"V\",\"type\":[\"null\",\"int\"],\"default\":null}]}"}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		if away.Load() || !strings.Contains(r.URL.Path, "one-value") && !strings.Contains(r.URL.Path, "/ids/1") {
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprint(w, `{"error_code":40403,"message":"Schema not found"}`)
			return
		}
		_, _ = fmt.Fprint(w, schema)
	}))
	t.Cleanup(s.Close)
	return s.URL, away
}

func TestStateOutlivesAStartThatCannotCarryOutItsStatement(t *testing.T) {
	url, away := aRegistry(t)
	m := openMetastore(t)
	require.NoError(t, m.Engine.Close())
	m.cfg.SchemaRegistry = url
	m.open()
	m.run("CREATE STREAM one (k STRING KEY) WITH (KAFKA_TOPIC='one', VALUE_FORMAT='AVRO', PARTITIONS=1);")
	m.run("CREATE TABLE c WITH (VALUE_FORMAT='JSON') AS SELECT k, COUNT(*) AS n FROM one GROUP BY k;")
	id := m.Catalog().Queries()[0].ID
	rec := &kgo.Record{Topic: "one", Key: []byte("a"), Value: []byte{0, 0, 0, 0, 1, 2, 2}}
	require.NoError(t, m.client.ProduceSync(t.Context(), rec).FirstErr())
	require.Eventually(t, func() bool { return m.counted(id) == 1 }, 5*time.Second, 5*time.Millisecond)

	away.Store(true)
	m.reopen()
	require.Equal(t, 2, m.FailedCommands())
	away.Store(false)
	m.reopen()
	require.Zero(t, m.FailedCommands())
	require.EqualValues(t, 1, m.counted(id))
}
