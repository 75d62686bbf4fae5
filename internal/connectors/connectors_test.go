package connectors_test

import (
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	files "github.com/orderflow/orderflow/connectors"
	"github.com/orderflow/orderflow/internal/connectors"
	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/connect"
)

func lookup(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := values[name]; return v, ok }
}

func TestVariablesArePutIn(t *testing.T) {
	fsys := fstest.MapFS{"a.json": {Data: []byte(`{"name":"a","config":{"url":"x ${env:A}/${env:B}","n":3,"b":true,"plain":"$Key ${other}"}}`)}}
	def, err := connectors.Load(fsys, connectors.WithDefaults(lookup(map[string]string{"A": "1$2", "B": ""}), map[string]string{"B": `c:\d`}))
	require.NoError(t, err)
	require.Len(t, def.Connectors, 1)
	assert.Equal(t, map[string]string{"name": "a", "url": `x 1$2/c:\d`, "n": "3", "b": "true", "plain": "$Key ${other}"}, def.Connectors[0].Config)
}

func TestWrongFilesAreNamed(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"variable without a value": {`{"name":"a","config":{"url":"${env:NOPE}"}}`, "reading a.json: the setting url: the variable NOPE is not set"},
		"not JSON":                 {`{`, "reading a.json"},
		"no name":                  {`{"config":{"a":"b"}}`, "a part is missing"},
		"unknown part":             {`{"name":"a","config":{"a":"b"},"konfig":{}}`, "konfig"},
		"list":                     {`{"name":"a","config":{"a":["b"]}}`, `the setting a is ["b"]`},
		"another name":             {`{"name":"a","config":{"name":"b"}}`, `the setting name is "b"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := connectors.Load(fstest.MapFS{"a.json": {Data: []byte(test.content)}}, lookup(nil))
			require.ErrorContains(t, err, test.want)
		})
	}
	_, err := connectors.Load(fstest.MapFS{}, lookup(nil))
	require.ErrorContains(t, err, "there are none")
	same := &fstest.MapFile{Data: []byte(`{"name":"a","config":{"a":"b"}}`)}
	_, err = connectors.Load(fstest.MapFS{"a.json": same, "b.json": same}, lookup(nil))
	require.ErrorContains(t, err, `the connector "a" is also in a.json`)
}

func TestTheBuiltInFilesLoad(t *testing.T) {
	def, err := connectors.Load(files.Files, lookup(map[string]string{
		connectors.EnvCustomersJDBCURL: "jdbc:sqlite:x", connectors.EnvSchemaRegistry: "http://r", connectors.EnvElasticsearch: "http://e",
	}))
	require.NoError(t, err)
	assert.Equal(t, []string{"customers", "orders.v1"}, def.Names())
	require.Len(t, def.Templates, 1)
	assert.Equal(t, "orders.v1", def.Templates[0].Name)
}

// startWorker brings up a Connect worker with a broker of its own.
func startWorker(t *testing.T) *connectors.Client {
	t.Helper()
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", Logger: log})
	require.NoError(t, err)
	require.NoError(t, b.Start(ctx))
	t.Cleanup(func() { require.NoError(t, b.Stop()) })
	w, err := connect.New(connect.Config{Addr: "127.0.0.1:0", Brokers: []string{b.Addr()}, Logger: log})
	require.NoError(t, err)
	require.NoError(t, w.Start(ctx))
	t.Cleanup(func() { require.NoError(t, w.Stop()) })
	return connectors.NewClient("http://"+w.Addr(), nil)
}

func tableFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.db")
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	return path
}

func definition(name string, changes ...string) connectors.Definition {
	config := map[string]string{
		"name": name, "connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector", "tasks.max": "1", "mode": "incrementing",
		"incrementing.column.name": "id", "table.whitelist": "t", "topic.prefix": "x-",
		"value.converter": "org.apache.kafka.connect.json.JsonConverter",
	}
	for i := 0; i < len(changes); i += 2 {
		config[changes[i]] = changes[i+1]
	}
	return connectors.Definition{Connectors: []connectors.Connector{{Name: name, Config: config, File: name + ".json"}}}
}

func plan(t *testing.T, client *connectors.Client, def connectors.Definition, prune bool) connectors.Plan {
	t.Helper()
	p, err := connectors.NewPlan(t.Context(), def, client, prune)
	require.NoError(t, err)
	return p
}

func TestApplyingTwiceChangesNothing(t *testing.T) {
	client := startWorker(t)
	path := tableFile(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	first := definition("one", "connection.url", "jdbc:sqlite:"+path)
	p := plan(t, client, first, false)
	require.Len(t, p.Items, 1)
	assert.Equal(t, connectors.Create, p.Items[0].Action)
	require.NoError(t, p.Apply(ctx))
	require.NoError(t, client.Wait(ctx, first.Names()))

	p = plan(t, client, first, false)
	assert.Equal(t, connectors.Keep, p.Items[0].Action)
	require.NoError(t, p.Apply(ctx))

	p = plan(t, client, definition("one", "connection.url", "jdbc:sqlite:"+path, "poll.interval.ms", "9", "db.password", "x"), false)
	assert.Equal(t, connectors.Update, p.Items[0].Action)
	assert.Equal(t, []string{"db.password: (none) → (hidden)", `poll.interval.ms: (none) → "9"`}, p.Items[0].Changes)

	other := definition("two", "connection.url", "jdbc:sqlite:"+path)
	p = plan(t, client, other, false)
	assert.Equal(t, connectors.Extra, p.Items[1].Action)
	p = plan(t, client, other, true)
	assert.Equal(t, connectors.Prune, p.Items[1].Action)
	require.NoError(t, p.Apply(ctx))
	names, err := client.Names(ctx)
	require.NoError(t, err)
	assert.Equal(t, []string{"two"}, names)
	require.NoError(t, client.Delete(ctx, "two"))
	require.NoError(t, client.Delete(ctx, "two"), "deleting twice is no error")
	status, err := client.Status(ctx, "two")
	require.NoError(t, err)
	assert.Equal(t, connectors.Missing, status.Connector.State)
}

func TestWrongConfigurationsChangeNothing(t *testing.T) {
	client := startWorker(t)
	def := definition("good", "connection.url", "jdbc:sqlite:"+tableFile(t))
	bad := definition("bad", "tasks.max", "0", "poll.interval.ms", "soon")
	def.Connectors = append(def.Connectors, bad.Connectors...)
	_, err := connectors.NewPlan(t.Context(), def, client, false)
	require.ErrorContains(t, err, "bad.json: tasks.max: Invalid value 0 for configuration tasks.max: Value must be at least 1")
	require.ErrorContains(t, err, "bad.json: poll.interval.ms: Invalid value soon")
	names, err := client.Names(t.Context())
	require.NoError(t, err)
	assert.Empty(t, names)
}

func TestAFailureEndsTheWaitWithItsCause(t *testing.T) {
	client := startWorker(t)
	def := definition("broken", "connection.url", "jdbc:sqlite:"+tableFile(t), "incrementing.column.name", "nope")
	require.NoError(t, plan(t, client, def, false).Apply(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.ErrorContains(t, client.Wait(ctx, def.Names()), "Incrementing column: nope does not exist")
}

func TestTemplatesArePut(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Method+" "+r.URL.Path)
		if len(got) > 1 {
			w.WriteHeader(http.StatusBadRequest)
			_, err := w.Write([]byte(`{"error":{"reason":"no"}}`))
			assert.NoError(t, err)
		}
	}))
	defer server.Close()
	def := connectors.Definition{Templates: []connectors.Template{{Name: "orders.v1", Body: []byte(`{}`)}}}
	require.NoError(t, connectors.PutTemplates(t.Context(), def, server.URL+"/", nil))
	assert.Equal(t, []string{"PUT /_index_template/orders.v1"}, got)
	require.ErrorContains(t, connectors.PutTemplates(t.Context(), def, server.URL, nil), `answered 400: {"error":{"reason":"no"}}`)
}
