package main

import (
	"database/sql"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/customers"
	"github.com/orderflow/orderflow/internal/verify"
	"github.com/orderflow/orderflow/migrations"
)

// crashCustomers is how many customers are known, with the ids from firstCustomer on.
const (
	crashCustomers = 400
	firstCustomer  = 1001
)

var crashLevels = []string{"platinum", "gold", "silver", "bronze"}

// crashStack is the whole system as processes that can be killed: `up`, and beside it
// a second instance of the API, of the inventory and of the e-mail service. All keep
// their addresses over a restart, as in production. Between them, and between clients
// and the APIs, are links that can be disturbed.
type crashStack struct {
	dir        string
	migrations string            // folder of the migration files, those of the tests included
	listen     map[string]string // where servers listen
	address    map[string]string // where they are reached
	links      map[string]*link  // by server, or by service and server
	customers  *sql.DB
	mail       *mailbox
	client     *http.Client

	main   *process
	others map[string]*process
	kills  int
	// mailKills are those of processes that send e-mails: others explain no repetition.
	mailKills []time.Time
	stalls    []verify.Stall
	pauses    int
	// poisoned counts the poison records that were acknowledged.
	poisoned atomic.Int64
	// disturbed counts the disturbances under way.
	disturbed atomic.Int64
}

// linked are the servers that the second instances reach over links of their own.
var linked = map[string][]string{
	"api":       {"kafka", "schema-registry", "ksqldb"},
	"inventory": {"kafka", "schema-registry"},
	"email":     {"kafka", "schema-registry"},
}

// fixedPorts finds ports that are free and that no outgoing connection takes.
func fixedPorts(t *testing.T, random *rand.Rand, n int) []string {
	t.Helper()
	var found []string
	for tries := 0; len(found) < n; tries++ {
		require.Less(t, tries, 10_000, "no free ports")
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+random.IntN(20_000))
		ln, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		require.NoError(t, ln.Close())
		found = append(found, address)
	}
	return found
}

func newCrashStack(t *testing.T, random *rand.Rand) *crashStack {
	t.Helper()
	s := &crashStack{dir: t.TempDir(), migrations: t.TempDir(), listen: map[string]string{}, links: map[string]*link{}, others: map[string]*process{}}
	s.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	t.Cleanup(s.client.CloseIdleConnections)
	names := []string{
		"api", "fraud", "kafka", "schema-registry", "connect", "ksqldb", "elasticsearch",
		"second-api", "second-fraud", "second-inventory", "second-email",
	}
	for i, address := range fixedPorts(t, random, len(names)) {
		s.listen[names[i]] = address
	}
	s.address = maps.Clone(s.listen)
	for _, name := range []string{"api", "second-api"} {
		s.links[name] = newLink(t, s.listen[name], false)
		s.address[name] = s.links[name].address()
	}
	s.links["kafka"] = newLink(t, s.listen["kafka"], true)
	for service, servers := range linked {
		for _, server := range servers {
			s.links[service+" "+server] = newLink(t, s.listen[server], server == "kafka")
		}
	}
	s.mail = startMailbox(t)
	require.NoError(t, os.CopyFS(s.migrations, migrations.FS))
	s.fillCustomers(t)
	return s
}

func (s *crashStack) fillCustomers(t *testing.T) {
	t.Helper()
	db, err := customers.Open(t.Context(), customersDB(s.dir), true)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	s.customers = db
	var rows []string
	for i := range crashCustomers {
		id, level := firstCustomer+i, crashLevels[i%len(crashLevels)]
		rows = append(rows, fmt.Sprintf("(%d, 'First%d', 'Last%d', 'c%d@example.com', '%d Main St', '%s')", id, id, id, id, id, level))
	}
	_, err = db.ExecContext(t.Context(), "INSERT INTO customers (id, firstName, lastName, email, address, level) VALUES "+strings.Join(rows, ", "))
	require.NoError(t, err)
}

// url returns the address of a server.
func (s *crashStack) url(name string) string { return "http://" + s.address[name] }

// servers are the flags that lead a service to the servers, and whatever else for an
// empty name.
func (s *crashStack) servers(service string) []string {
	var flags []string
	for _, server := range []string{"kafka", "schema-registry", "connect", "ksqldb", "elasticsearch"} {
		address := s.address[server]
		if l := s.links[service+" "+server]; l != nil {
			address = l.address()
		}
		if server != "kafka" {
			address = "http://" + address
		}
		flags = append(flags, "--"+server, address)
	}
	return flags
}

// launchMain starts `up` and does not wait for it. Its own clients reach its broker
// over a link, too.
func (s *crashStack) launchMain(t *testing.T) {
	t.Helper()
	args := []string{"up", "--data-dir", s.dir, "--migrations", s.migrations, "--smtp", s.mail.address, "--smtp-tls", "none", "--kafka-advertise", s.links["kafka"].address()}
	for _, name := range []string{"api", "fraud", "kafka", "schema-registry", "connect", "ksqldb", "elasticsearch"} {
		args = append(args, "--"+name+"-listen", s.listen[name])
	}
	s.main = launch(t, args...)
}

// launchOther starts one of the second instances.
func (s *crashStack) launchOther(t *testing.T, service string) {
	t.Helper()
	args := append([]string{service}, s.servers(service)...)
	switch service {
	case "api":
		args = append(args, "--api-listen", s.listen["second-api"], "--fraud-listen", s.listen["second-fraud"])
	case "inventory":
		args = append(args, "--inventory-listen", s.address["second-inventory"])
	case "email":
		args = append(args, "--email-listen", s.address["second-email"], "--smtp", s.mail.address, "--smtp-tls", "none")
	}
	s.others[service] = launch(t, args...)
}

// recovers is how long processes may take to be ready after their connections fell silent:
// each client on the way to an answer, up to three of them, notices it after 10 seconds.
const recovers = time.Minute

// awaitReady waits until every process is ready.
func (s *crashStack) awaitReady(t *testing.T) {
	t.Helper()
	s.main.awaitReady(t)
	s.client.CloseIdleConnections() // nobody would answer on those that a link has forgotten
	for service := range s.others {
		var said string
		defer func() {
			if t.Failed() {
				t.Log(service, "said last:", said)
			}
		}()
		within(t, recovers, "the second "+service+" is ready", func() bool {
			resp, err := s.client.Get(s.url("second-"+service) + "/readyz")
			if err != nil {
				said = err.Error()
				return false
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			said = fmt.Sprintf("%s %s (%v)", resp.Status, body, err)
			return err == nil && resp.StatusCode == http.StatusOK
		})
	}
}

// named returns a process, the one of `up` by the name "up".
func (s *crashStack) named(name string) *process {
	if name == "up" {
		return s.main
	}
	return s.others[name]
}

// kill kills a process.
func (s *crashStack) kill(t *testing.T, name string) {
	t.Helper()
	s.named(name).kill(t)
	s.killed(name)
}

func (s *crashStack) killed(name string) {
	s.kills++
	if name == "up" || name == "email" {
		s.mailKills = append(s.mailKills, time.Now())
	}
}

// stopsWithin is how long a process may take to finish or hand back its work, or to give
// up, which ends in an error.
const stopsWithin = 11 * time.Second

// terminate stops a process as a user would, in the middle of its work. To the
// others a broker that stops is one that dies. One that is disturbed may be unable to hand
// its work back, but ends in time and says so.
func (s *crashStack) terminate(t *testing.T, name string) {
	t.Helper()
	began := time.Now()
	p := s.named(name)
	disturbed := s.disturbed.Load() > 0
	p.terminate(t)
	require.Less(t, time.Since(began), stopsWithin, "%s took too long to stop", name)
	if p.state != nil && disturbed {
		require.Equal(t, 1, p.cmd.ProcessState.ExitCode(), "%s ended otherwise than by an error of its own:\n%s", name, p.output())
	} else {
		require.NoError(t, p.state, p.output())
	}
	s.killed(name)
}

// addMigration writes a migration file that makes a stream of all new orders, and
// returns the stream's topic.
func (s *crashStack) addMigration(t *testing.T, n int) string {
	t.Helper()
	topic := fmt.Sprintf("crash-copy-%d.v1", n)
	text := fmt.Sprintf(`SET 'auto.offset.reset' = 'earliest';
CREATE STREAM IF NOT EXISTS crash_copy_%d WITH (KAFKA_TOPIC='%s', VALUE_FORMAT='AVRO') AS
  SELECT id, product, quantity FROM orders_new EMIT CHANGES;
`, n, topic)
	path := filepath.Join(s.migrations, fmt.Sprintf("V%06d__crash_copy_%d.sql", 900+n, n))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return topic
}

// migrate applies the migrations with a process of its own, and reports whether it
// came through.
func (s *crashStack) migrate(t *testing.T) (output string, ok bool) {
	t.Helper()
	cmd := orderflow(t, append([]string{"migrate", "apply", "--all", "--dir", s.migrations}, s.servers("")...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}
