package migrate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	ksqldbserver "github.com/orderflow/orderflow/internal/embedded/ksqldb/server"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/internal/recordings"
)

// TestRecordedClientsOnTheEmbeddedServer sends the embedded server what
// ksql-migrations sent to a real one, run by run, and compares the answers.
func TestRecordedClientsOnTheEmbeddedServer(t *testing.T) {
	runs := recordings.Migrations(t, repository)
	w := newWire(t)
	matched := 0
	for _, number := range slices.Sorted(mapKeys(runs)) {
		ok := t.Run(number+" "+strings.Join(runs[number].Args, " "), func(t *testing.T) {
			for i, e := range runs[number].Exchanges() {
				w.replay(t, i, e)
			}
		})
		if ok {
			matched++
		}
	}
	fmt.Printf("recorded/clients, requests of ksql-migrations: %d of %d runs match\n", matched, len(runs))
}

// TestRecordedProjectsAreInterchangeable begins a project with the requests of
// ksql-migrations and goes on with ours, and the other way round.
func TestRecordedProjectsAreInterchangeable(t *testing.T) {
	runs := recordings.Migrations(t, repository)
	var names []string
	for name, content := range recordedProject(t, runs)("16") {
		names = append(names, name, content)
	}
	files := files(names...)
	migrator := func(t *testing.T, w *wire) *migrate.Migrator {
		client, err := ksql.New(ksql.Config{URL: w.url})
		require.NoError(t, err)
		t.Cleanup(client.Close)
		m, err := migrate.New(migrate.Config{Client: client, FS: files, Variables: map[string]string{"name": "M3", "min": "5"}})
		require.NoError(t, err)
		return m
	}
	replay := func(t *testing.T, w *wire, numbers ...string) {
		for _, number := range numbers {
			for i, e := range runs[number].Exchanges() {
				w.replay(t, i, e)
			}
		}
	}
	t.Run("from ksql-migrations to ours", func(t *testing.T) {
		w := newWire(t)
		replay(t, w, "04", "10", "11", "12") // the last waits until the table shows it all
		ours := migrator(t, w)
		status, err := ours.Info(t.Context())
		require.NoError(t, err)
		compareInfo(t, runs["12"], status)
		report, err := ours.Apply(t.Context(), migrate.ApplyOptions{Until: 3})
		require.NoError(t, err)
		assert.Equal(t, 2, report.Previous)
		assert.Equal(t, 3, report.Current)
		count, err := ours.Validate(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 3, count)
		w.anyTime = true
		replay(t, w, "15") // what the tool asks for its info
	})
	t.Run("from ours to ksql-migrations", func(t *testing.T) {
		w := newWire(t)
		ours := migrator(t, w)
		for range 2 {
			_, err := ours.Apply(t.Context(), migrate.ApplyOptions{Next: true})
			require.NoError(t, err)
		}
		w.anyTime = true
		replay(t, w, "12", "13", "14", "15", "16", "17", "18")
		status, err := ours.Info(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 4, status.Current)
		assert.Equal(t, migrate.Failed, status.Migrations[3].State)
		assert.Nil(t, status.Migrations[3].Resumption, "how far the tool came is not known")
	})
}

// newWire starts an embedded server to send recorded requests to.
func newWire(t *testing.T) *wire {
	t.Helper()
	kafkaServer, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, kafkaServer.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, kafkaServer.Stop()) })
	server, err := ksqldbserver.New(ksqldbserver.Config{Listen: "127.0.0.1:0", Config: engine.Config{
		Brokers: []string{kafkaServer.Addr()}, DataDir: t.TempDir(), Properties: map[string]string{
			"ksql.logging.processing.topic.auto.create":  "true",
			"ksql.logging.processing.stream.auto.create": "true",
		},
	}})
	require.NoError(t, err)
	require.NoError(t, server.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })

	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &wire{client: &http.Client{Transport: transport}, url: "http://" + server.Addr(), queries: map[string]string{}}
}

// repository is the way to the root of the repository.
const repository = "../../.."

// wire sends recorded requests.
type wire struct {
	client  *http.Client
	url     string
	queries map[string]string // our ids of queries by the recorded ones, without their numbers
	anyTime bool              // the times in the metadata are not the recorded ones
}

var persistentID = regexp.MustCompile(`\b((?:C[ST]AS|CST|INSERTQUERY)(?:_\w+?)?)_(\d+)\b`)

// visibleFor is how long a row that was inserted may take to show in the table.
const visibleFor = 10 * time.Second

func (w *wire) replay(t *testing.T, index int, e recordings.Exchange) {
	request := persistentID.ReplaceAllStringFunc(e.Request, func(id string) string {
		if ours, ok := w.queries[persistentID.FindStringSubmatch(id)[1]]; ok {
			return ours
		}
		return id
	})
	method := http.MethodPost
	if e.Path == "/info" {
		method = http.MethodGet
	}
	name := fmt.Sprintf("request %d: %s %s", index, e.Path, e.Request)
	want := w.comparable(t, e)
	ask := func() (string, []any) {
		r, err := http.NewRequestWithContext(t.Context(), method, w.url+e.Path, strings.NewReader(request))
		require.NoError(t, err)
		r.Header.Set("User-Agent", "ksqlDB Java Client v7.9.0")
		if e.Accept != "" {
			r.Header.Set("Accept", e.Accept)
		}
		answer, err := w.client.Do(r)
		require.NoError(t, err, name)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err, name)
		assert.Equal(t, e.ContentType, answer.Header.Get("Content-Type"), name)
		for _, id := range persistentID.FindAllStringSubmatch(string(body), -1) {
			w.queries[id[1]] = id[0]
		}
		return fmt.Sprint(answer.StatusCode), w.comparable(t, recordings.Exchange{Path: e.Path, Answer: string(body)})
	}
	status, got := ask()
	if e.Path == "/query-stream" {
		deadline := time.Now().Add(visibleFor)
		for !assert.ObjectsAreEqual(want, got) && time.Now().Before(deadline) {
			status, got = ask()
		}
	}
	if strings.Contains(e.Request, `"list streams;"`) {
		want, got = known(want), known(got)
	}
	assert.Equal(t, e.Status, status, name)
	assert.Equal(t, want, got, name)
}

// comparable returns the values of an answer without what differs from server
// to server and from run to run.
func (w *wire) comparable(t *testing.T, e recordings.Exchange) []any {
	t.Helper()
	text := persistentID.ReplaceAllString(e.Answer, "${1}_N")
	text = regexp.MustCompile(`"query_\d+"`).ReplaceAllString(text, `"query_N"`)
	if w.anyTime {
		text = regexp.MustCompile(`"\d{13}"`).ReplaceAllString(text, `"time"`)
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var values []any
	for {
		var value any
		err := decoder.Decode(&value)
		if err == io.EOF {
			return values
		}
		require.NoError(t, err, text)
		if rows, ok := value.([]any); ok && e.Path == "/query-stream" {
			sortValues(rows) // keys that are looked up together come in any order
		}
		values = append(values, stable(value))
	}
}

// known leaves out of a list of streams those of the migrations: some were
// dropped by hand between the runs.
func known(list []any) []any {
	streams, _ := list[0].([]any)[0].(map[string]any)["streams"].([]any)
	own := regexp.MustCompile(`^ME?\d+$`)
	return slices.DeleteFunc(streams, func(s any) bool { return own.MatchString(fmt.Sprint(s.(map[string]any)["name"])) })
}

func stable(value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = stable(v[i])
		}
	case map[string]any:
		for key, member := range v {
			switch list, _ := member.([]any); key {
			case "commandSequenceNumber", "kafkaClusterId", "statistics", "clusterStatistics":
				v[key] = "…"
			case "streams", "tables", "queries", "readQueries", "writeQueries":
				sortValues(list)
				v[key] = stable(member)
			default:
				v[key] = stable(member)
			}
		}
	}
	return value
}

func sortValues(list []any) {
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
}
