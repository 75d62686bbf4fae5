package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
)

// unreliable passes requests on to a ksqlDB, except where fault says otherwise.
type unreliable struct {
	*httptest.Server
	mu sync.Mutex
	// fault is asked about the text of each statement: whether its answer never
	// comes, and whether the server gets it all the same.
	fault func(statement string) (lost, sent bool)
	// held is called when an answer was lost; the connection is cut when it
	// returns.
	held func(r *http.Request)
}

func newUnreliable(t *testing.T, to string) *unreliable {
	t.Helper()
	target, err := url.Parse(to)
	require.NoError(t, err)
	u := &unreliable{fault: func(string) (bool, bool) { return false, false }, held: func(*http.Request) {}}
	proxy := httputil.NewSingleHostReverseProxy(target)
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var request struct{ KSQL string }
		_ = json.Unmarshal(body, &request)
		u.mu.Lock()
		fault, held := u.fault, u.held
		u.mu.Unlock()
		lost, sent := fault(request.KSQL)
		if !lost {
			proxy.ServeHTTP(w, r)
			return
		}
		if sent {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
		}
		held(r)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *unreliable) set(fault func(string) (lost, sent bool), held func(*http.Request)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fault, u.held = fault, held
}

// killedFile has a statement of each kind that differs in how it is found out
// whether it was carried out; # makes its names those of one test.
const killedFile = `CREATE TYPE t# AS STRUCT<a INT>;
CREATE STREAM s# (id INT KEY, v INT) WITH (KAFKA_TOPIC='s#', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM x# AS SELECT * FROM s#;
INSERT INTO x# SELECT id, v FROM s# WHERE v > 5;
INSERT INTO s# (id, v) VALUES (1, 7);
ALTER STREAM s# ADD COLUMN w STRING;
DROP TYPE t#;
CREATE OR REPLACE STREAM s# (id INT KEY, v INT, w STRING, z INT) WITH (KAFKA_TOPIC='s#', VALUE_FORMAT='JSON', PARTITIONS=1);
`

// TestMigrateGoesOnAfterKill9 kills a migrator while the answer to a statement is
// under way, once with the statement carried out and once without, for each
// statement of a file (for some of them, unless ORDERFLOW_MIGRATE_KILLS is "all"),
// and has another go on.
func TestMigrateGoesOnAfterKill9(t *testing.T) {
	server, _, command := startMigrationServersAt(t)
	client, err := ksql.New(ksql.Config{URL: server})
	require.NoError(t, err)
	defer client.Close()
	between := newUnreliable(t, server)
	statements := strings.Split(strings.TrimSpace(killedFile), "\n")
	kills := []int{1, 5, 6, 9} // twice the statement's number, odd when it is carried out
	if os.Getenv("ORDERFLOW_MIGRATE_KILLS") == "all" {
		kills = nil
		for i := range 2 * len(statements) {
			kills = append(kills, i)
		}
	}
	for _, i := range kills {
		sent, name := i%2 == 1, fmt.Sprint(i)
		target := strings.ReplaceAll(statements[i/2], "#", name)
		t.Run(fmt.Sprintf("%s sent=%v", target, sent), func(t *testing.T) {
			dir := t.TempDir()
			project := filepath.Join(dir, "p.properties")
			require.NoError(t, os.WriteFile(project, fmt.Appendf(nil, "ksql.server.url=%s\nksql.migrations.stream.name=EVENTS_%d\nksql.migrations.table.name=VERSIONS_%d\nksql.migrations.dir.override=%s\n",
				between.URL, i, i, dir), 0o644))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "V000001__a.sql"), []byte(strings.ReplaceAll(killedFile, "#", name)), 0o644))
			// A lock in Kafka would stay for its holder's session.
			migrator := func(args ...string) []string {
				return append(append([]string{"migrate"}, args...), "-c", project, "--ksqldb", between.URL, "--kafka", "127.0.0.1:1")
			}
			code, _, errs := command(migrator("initialize-metadata")...)
			require.Equal(t, 0, code, errs)

			victim := orderflow(t, migrator("apply", "--all", "--skip-validation")...)
			var output bytes.Buffer
			victim.Stdout, victim.Stderr = &output, &output
			reached := make(chan struct{})
			var once sync.Once
			between.set(func(statement string) (bool, bool) { return statement == target, sent }, func(r *http.Request) {
				once.Do(func() { close(reached) })
				<-r.Context().Done()
			})
			require.NoError(t, victim.Start())
			ended := make(chan error, 1)
			go func() { ended <- victim.Wait() }()
			select {
			case <-reached:
			case err := <-ended:
				require.Failf(t, "the migrator ended by itself", "%v: %s", err, output.String())
			}
			require.NoError(t, victim.Process.Kill())
			<-ended
			between.set(func(string) (bool, bool) { return false, false }, func(*http.Request) {})

			code, out, errs := command(migrator("apply", "--all", "--skip-validation")...)
			if strings.Contains(target, "VALUES") {
				// Only people can find out about these.
				require.Equal(t, 3, code, out+errs)
				require.Contains(t, errs, "it is not known whether this statement was carried out")
				repair := "--again"
				if sent {
					repair = "--done"
				}
				code, out, errs = command(migrator("repair", "1", repair)...)
				require.Equal(t, 0, code, out+errs)
				code, out, errs = command(migrator("apply", "--all", "--skip-validation")...)
			}
			require.Equal(t, 0, code, out+errs)
			requireKilledFileApplied(t, client, name)
		})
	}
}

// requireKilledFileApplied requires that each statement was carried out once.
func requireKilledFileApplied(t *testing.T, client *ksql.Client, name string) {
	source, err := client.Describe(t.Context(), "S"+name)
	require.NoError(t, err)
	assert.Len(t, source.Fields, 4)
	sink, err := client.Describe(t.Context(), "X"+name)
	require.NoError(t, err)
	assert.Len(t, sink.WriteQueries, 2)
	types, err := client.ListTypes(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, types, "T"+name)
	rows, err := client.Query(t.Context(), "SELECT id FROM s"+name+";", nil)
	require.NoError(t, err)
	defer rows.Close()
	count := 0
	for rows.Next() {
		count++
	}
	require.NoError(t, rows.Err())
	assert.Equal(t, 1, count, "records inserted")
}

// TestMigrateThroughAServerThatDropsConnections loses answers all the time, with
// and without the statement carried out.
func TestMigrateThroughAServerThatDropsConnections(t *testing.T) {
	server, _, command := startMigrationServersAt(t)
	code, _, errs := command("topics", "apply")
	require.Equal(t, 0, code, errs)
	between := newUnreliable(t, server)
	var requests atomic.Int64
	between.set(func(string) (bool, bool) {
		n := requests.Add(1)
		return n%3 == 0, n%2 == 0
	}, func(*http.Request) {})
	code, out, errs := command("migrate", "apply", "--all", "--ksqldb", between.URL)
	require.Equal(t, 0, code, out+errs)
	assert.Greater(t, requests.Load(), int64(100))

	code, out, errs = command("migrate", "drift")
	assert.Equal(t, 0, code, out+errs)
	code, out, errs = command("migrate", "info", "--output", "json")
	require.Equal(t, 0, code, errs)
	assert.NotContains(t, out, "ERROR")
	assert.NotContains(t, out, "PENDING")
}

// TestTwoMigratorsAtOnce has one apply all of it, and the other nothing.
func TestTwoMigratorsAtOnce(t *testing.T) {
	server, brokers, command := startMigrationServersAt(t)
	for _, kafka := range []string{brokers, "127.0.0.1:1"} {
		t.Run("kafka "+kafka, func(t *testing.T) {
			dir := t.TempDir()
			name := "GROUP"
			if kafka != brokers {
				name = "ROW"
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, "V000001__a.sql"), []byte(strings.ReplaceAll(killedFile, "#", name)), 0o644))
			var outs [2]bytes.Buffer
			var running [2]*exec.Cmd
			for i := range running {
				running[i] = orderflow(t, "migrate", "apply", "--all", "--skip-validation", "--dir", dir, "--ksqldb", server, "--kafka", kafka)
				running[i].Stdout, running[i].Stderr = &outs[i], &outs[i]
				require.NoError(t, running[i].Start())
			}
			for i := range running {
				assert.NoError(t, running[i].Wait(), outs[i].String())
			}
			together := outs[0].String() + outs[1].String()
			assert.Len(t, regexp.MustCompile(`(?m)^applied 1 migrations with 8 statements`).FindAllString(together, -1), 1, together)
			assert.Len(t, regexp.MustCompile(`(?m)^nothing to do; the current version is 1$`).FindAllString(together, -1), 1, together)
			client, err := ksql.New(ksql.Config{URL: server})
			require.NoError(t, err)
			defer client.Close()
			requireKilledFileApplied(t, client, name)
			code, _, errs := command("migrate", "destroy-metadata", "--dir", dir)
			require.Equal(t, 0, code, errs)
		})
	}
}
