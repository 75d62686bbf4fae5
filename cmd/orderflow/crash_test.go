package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/simulation/seeds"
	"github.com/orderflow/orderflow/internal/verify"
)

const (
	// settled is how long the system may take to work everything off.
	settled = 90 * time.Second
	// roundsPerMigration is how often a migration is applied during load.
	roundsPerMigration = 10
)

// TestKilledProcessesLoseAndRepeatNothing kills processes in the middle of orders,
// payments, shipping, stock changes, migrations and paused connectors, again and
// again, also while they start. It disturbs their connections, has them stand still,
// has the mail server fail, and sends rubbish. After each round everything is worked off, and what
// the topics, the search index and the services then have is what was promised.
// ORDERFLOW_CRASH_ROUNDS says how often, ORDERFLOW_CRASH_SEED what is done.
func TestKilledProcessesLoseAndRepeatNothing(t *testing.T) {
	rounds := int(seeds.Number(t, "ORDERFLOW_CRASH_ROUNDS", 3))
	seed := seeds.Number(t, "ORDERFLOW_CRASH_SEED", rand.Uint64())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1000))
	s := newCrashStack(t, random)
	s.launchMain(t)
	s.main.awaitReady(t)
	for _, service := range []string{"api", "inventory", "email"} {
		s.launchOther(t, service)
	}
	s.awaitReady(t)
	s.main.awaitCustomer(t, firstCustomer+crashCustomers-1)

	ctx, cancel := context.WithCancel(t.Context())
	load := newCrashLoad(ctx, s)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		load.run(seed)
	}()
	defer func() {
		cancel()
		<-ended
	}()

	reader, err := verify.NewReader(verify.Config{Brokers: []string{s.address["kafka"]}, SchemaRegistry: s.url("schema-registry"), Rubbish: isPoison})
	require.NoError(t, err)
	checker := &crashChecker{stack: s, load: load, reader: reader}
	for round := range rounds {
		checker.migrateUnderLoad(t, round)
		target := load.orders.Load() + 5 + random.Int64N(100)
		eventually(t, "orders are placed", func() bool { return load.orders.Load() >= target })
		s.suffer(t, drawRound(random, rounds > roundsPerLong), random)
		report := checker.settleAtRest(t)
		t.Logf("round %d: %d orders, %d decided, %d e-mails, %d repeated", round+1, report.Orders, report.Decided, report.Emails, report.RepeatedEmails)
	}
	cancel()
	<-ended
	for service := range s.others {
		s.others[service].stop(t)
	}
	clear(s.others)
	s.main.stop(t)
	s.launchMain(t)
	s.awaitReady(t)
	checker.reader = reader.Again()
	report := checker.settle(t)
	var cuts, lost int64
	for _, l := range s.links {
		cuts, lost = cuts+l.cuts.Load(), lost+l.lost.Load()
	}
	t.Logf("crash: %d rounds, %d kills, %d pauses, %d connections cut, %d answers lost, %d failures of the mail server, %d poison records, "+
		"%d orders, %d payments, %d shipped, 0 violations, %d e-mails, %d of them repeated around a kill, a stall or a lost answer",
		rounds, s.kills, s.pauses, cuts, lost, s.mail.troubled(), report.Rubbish,
		report.Orders, len(load.claims.Payments), len(load.claims.Shipped), report.Emails, report.RepeatedEmails)
}

// crashChecker compares what is stored with what was promised.
type crashChecker struct {
	stack  *crashStack
	load   *crashLoad
	reader *verify.Reader

	copies    []string
	migrating chan struct{} // closed when the migration under way has ended
}

// migrateUnderLoad has a migration applied while orders come and processes are killed.
func (c *crashChecker) migrateUnderLoad(t *testing.T, round int) {
	t.Helper()
	if round%roundsPerMigration != 1 {
		return
	}
	c.copies = append(c.copies, c.stack.addMigration(t, round))
	done := make(chan struct{})
	c.migrating = done
	go func() {
		defer close(done)
		c.stack.migrate(t) // whatever comes of it: it is done again when nothing is killed
	}()
}

// settleAtRest settles while the clients wait.
func (c *crashChecker) settleAtRest(t *testing.T) *verify.Report {
	t.Helper()
	defer c.load.rest()()
	return c.settle(t)
}

// settle waits until everything is worked off and as promised. Nothing may be being
// posted meanwhile.
func (c *crashChecker) settle(t *testing.T) *verify.Report {
	t.Helper()
	if c.migrating != nil {
		<-c.migrating
		c.migrating = nil
		out, ok := c.stack.migrate(t)
		require.True(t, ok, "the migration cannot be applied: %s", out)
	}
	for _, name := range crashConnectors {
		eventually(t, "the connector goes on", func() bool {
			return call(t, http.MethodPut, c.stack.url("connect")+"/connectors/"+name+"/resume", "").status == http.StatusAccepted
		})
	}
	var report *verify.Report
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	broken := 0
	for deadline := time.Now().Add(settled); ; <-tick.C {
		var err error
		report, err = c.look(t.Context())
		require.NoError(t, err)
		// What has come while topics were read one after the other is no proof yet.
		if broken++; len(report.Broken) == 0 {
			broken = 0
		}
		require.Less(t, broken, 3, "%s", report.Text(20))
		if broken == 0 && len(report.Open) == 0 {
			break
		}
		require.True(t, time.Now().Before(deadline), "not everything is worked off: %s", report.Text(20))
	}
	require.Empty(t, report.Unchecked, "rules that were not checked, as these topics have lost records: %s", c.reader.History().Incomplete())
	_, wrong := c.load.told()
	require.Empty(t, wrong, "answers that must not be")
	require.GreaterOrEqual(t, int64(report.Rubbish), c.stack.poisoned.Load(), "records that were acknowledged")
	return report
}

// look reads what there is. What is shown is read before the topics that it comes
// from, and e-mails that arrived after the ledger that follows them.
func (c *crashChecker) look(ctx context.Context) (*verify.Report, error) {
	claims, _ := c.load.told()
	var err error
	if claims.Fraud, err = verify.LookFraud(ctx, c.stack.client, c.stack.url("ksqldb")); err != nil {
		return nil, fmt.Errorf("reading the fraud table: %w", err)
	}
	if claims.Table, err = verify.LookTable(ctx, c.stack.client, c.stack.url("ksqldb")); err != nil {
		return nil, fmt.Errorf("reading the table of orders: %w", err)
	}
	if claims.Index, err = verify.LookIndex(ctx, c.stack.client, c.stack.url("elasticsearch")); err != nil {
		return nil, fmt.Errorf("reading the search index: %w", err)
	}
	if claims.Stock, err = verify.LookStock(ctx, c.stack.client, c.stack.url("api")); err != nil {
		return nil, fmt.Errorf("reading the stock: %w", err)
	}
	if err := c.reader.Read(ctx); err != nil {
		return nil, err
	}
	claims.Mail, claims.Kills, claims.Copies = c.stack.mail.all(), c.stack.mailKills, c.copies
	claims.Stalls = c.stack.stalls
	return verify.Check(c.reader.History(), claims), nil
}
