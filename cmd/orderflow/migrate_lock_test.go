package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/ksql"
)

// output collects what a process writes while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// heldMigrator starts a process that applies a file and waits in its second
// statement for an answer that does not come.
func heldMigrator(t *testing.T, between *unreliable, dir, kafka string) (*exec.Cmd, *output) {
	t.Helper()
	reached := make(chan struct{})
	var once sync.Once
	between.set(func(statement string) (bool, bool) {
		return strings.HasPrefix(statement, "CREATE STREAM second"), false
	}, func(r *http.Request) {
		once.Do(func() { close(reached) })
		<-r.Context().Done()
	})
	holder, out := migratorProcess(t, between.URL, dir, kafka)
	select {
	case <-reached:
	case <-time.After(readyWithin):
		require.FailNow(t, "the migrator does not come to its second statement", out.String())
	}
	return holder, out
}

func migratorProcess(t *testing.T, url, dir, kafka string) (*exec.Cmd, *output) {
	t.Helper()
	cmd, out := orderflow(t, "migrate", "apply", "--all", "--skip-validation", "--dir", dir, "--ksqldb", url, "--kafka", kafka), &output{}
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, out
}

// lockedProject is the folder of what heldMigrator applies.
func lockedProject(t *testing.T) string {
	t.Helper()
	return migrationProject(t, "V000001__a.sql", `CREATE STREAM first (id INT KEY, v INT) WITH (KAFKA_TOPIC='first', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM second AS SELECT * FROM first;
`)
}

// TestAMigratorTakesTheLockOverFromAKilledOne kills the holder of each kind of
// lock while another waits for it.
func TestAMigratorTakesTheLockOverFromAKilledOne(t *testing.T) {
	for _, kind := range []string{"row", "group"} {
		t.Run(kind, func(t *testing.T) {
			if kind == "group" && os.Getenv("ORDERFLOW_MIGRATE_KILLS") != "all" {
				t.Skip("Kafka keeps it for the 10 seconds of the session (set ORDERFLOW_MIGRATE_KILLS=all)")
			}
			server, kafka, _ := startMigrationServersAt(t)
			if kind == "row" {
				kafka = "127.0.0.1:1"
			}
			dir := lockedProject(t)
			holder, held := heldMigrator(t, newUnreliable(t, server), dir, kafka)
			host, err := os.Hostname()
			require.NoError(t, err)
			second, out := migratorProcess(t, server, dir, kafka)
			named := fmt.Sprintf("waiting for orderflow-migrate-%s-%d, which changes the migrations\n", host, holder.Process.Pid)
			require.Eventually(t, func() bool { return strings.Contains(out.String(), named) }, readyWithin, 5*time.Millisecond, out.String())
			require.NoError(t, holder.Process.Kill())
			_ = holder.Wait()
			require.NoError(t, second.Wait(), out.String()+held.String())
			assert.Contains(t, out.String(), "going on with V000001__a.sql after 1 of 2 statements")
		})
	}
}

// TestAMigratorThatLosesItsLockStops takes the lock away from a migrator in the
// middle of a file.
func TestAMigratorThatLosesItsLockStops(t *testing.T) {
	for _, kind := range []string{"row", "group"} {
		t.Run(kind, func(t *testing.T) {
			if kind == "row" && os.Getenv("ORDERFLOW_MIGRATE_KILLS") != "all" {
				t.Skip("its holder looks after it every 5 seconds only (set ORDERFLOW_MIGRATE_KILLS=all)")
			}
			server, kafka, command := startMigrationServersAt(t)
			take := func() { takeGroup(t, kafka) }
			if kind == "row" {
				kafka, take = "127.0.0.1:1", func() { takeRow(t, server) }
			}
			dir := lockedProject(t)
			holder, out := heldMigrator(t, newUnreliable(t, server), dir, kafka)
			take()
			require.Error(t, holder.Wait())
			assert.Equal(t, 3, holder.ProcessState.ExitCode(), out.String())
			assert.Contains(t, out.String(), "the migrations' lock was lost")
			code, info, errs := command("migrate", "info", "--dir", dir)
			require.Equal(t, 0, code, errs)
			assert.Regexp(t, ` 1 +\| a +\| RUNNING +\|`, info, "without the lock nothing is noted")
		})
	}
}

// takeGroup makes Kafka forget the members of the lock's group.
func takeGroup(t *testing.T, brokers string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers))
	require.NoError(t, err)
	defer client.Close()
	const group = "_orderflow_migrations_lock_default_"
	groups, err := kadm.NewClient(client).DescribeGroups(t.Context(), group)
	require.NoError(t, err)
	require.Len(t, groups[group].Members, 1)
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = group
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = groups[group].Members[0].MemberID
	leave.Members, leave.MemberID = append(leave.Members, member), member.MemberID
	answer, err := leave.RequestWith(t.Context(), client)
	require.NoError(t, err)
	require.Zero(t, answer.ErrorCode)
}

// takeRow writes the row of the lock as another that does not see who has it.
func takeRow(t *testing.T, server string) {
	t.Helper()
	client, err := ksql.New(ksql.Config{URL: server})
	require.NoError(t, err)
	defer client.Close()
	_, err = client.Exec(t.Context(), fmt.Sprintf("INSERT INTO ORDERFLOW_MIGRATION_EVENTS (progress_key, state, holder, updated_on) VALUES ('LOCK', 'HELD', 'somebody', '%d');",
		time.Now().UnixMilli()), ksql.ExecOptions{})
	require.NoError(t, err)
}
