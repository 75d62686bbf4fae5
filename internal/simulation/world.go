// Package simulation runs the system in one goroutine: the topologies of the
// migrations, the engine's task with its commits, outbox and recovery, the stock
// ledger and the e-mail service, all as they are in the product, over a broker, a
// disk and a clock that fail as a seed says. What comes of it is checked by package
// verify.
//
// With a part of the seeds the state is in the product's own store, on a disk that tears
// (package torn). What the broker keeps on its disk is simulated by package storage.
//
// The faults: processes die at any moment and start again; a commit meets a crash
// and is there or not, or its writes are cut off at any byte; records of different partitions are seen in any order, and
// late; acknowledgements come late or not at all; services' records are taken twice;
// members of a group are given up for dead while they work; the clock jumps by up to
// an hour.
//
// Invariants:
//   - The same seed and options have the same outcome, down to every record: there
//     is no time, no map order and no goroutine in it but those of the real store, which
//     have no say in what it holds. One actor runs at a time (a
//     coroutine), and which one is next is drawn from the seed.
//   - A simulation ends only when everything is worked off, so that what is missing
//     then is lost.
package simulation

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/verify"
)

// Bug is a mistake that a simulation makes on purpose, to show that it would be found.
type Bug string

// The bugs.
const (
	// NoBug is the product as it is.
	NoBug Bug = ""
	// DropReplay forgets at a start what the last commit had still to send.
	DropReplay Bug = "drop the outbox replay"
	// CommitBeforeProduce commits without an outbox and sends afterwards.
	CommitBeforeProduce Bug = "commit before produce"
	// ProduceBeforeCommit sends and commits afterwards.
	ProduceBeforeCommit Bug = "produce before commit"
	// SkipDedupe sends again what the output partitions have already.
	SkipDedupe Bug = "skip dedupe"
	// BoundTooHigh looks for earlier outputs from a place that is too late.
	BoundTooHigh Bug = "look for outputs too late"
	// AnswerBeforeReading answers a request for stock by what the instance itself
	// wrote, before the ledger was read back.
	AnswerBeforeReading Bug = "answer a reservation before reading it back"
	// CommitBeforeHandle has a service commit its input before it has worked on it.
	CommitBeforeHandle Bug = "commit input before working on it"
	// ForgetMail has the e-mail service start without reading what was sent.
	ForgetMail Bug = "forget which e-mails were sent"
	// MailWithoutMembership sends e-mails also when the group has given the partition away.
	MailWithoutMembership Bug = "send e-mails without being a member"
	// CommitInParts writes the stores of a task in one commit and its record in another.
	CommitInParts Bug = "commit in two parts"
	// AcknowledgeEarly has a commit return before it is written.
	AcknowledgeEarly Bug = "acknowledge a commit before writing it"
	// SkipSync leaves the syncs out where the machine may end.
	SkipSync Bug = "leave out the syncs"
)

// Options say what a simulation does beside its seed.
type Options struct {
	Bug Bug
	// Disk says which seeds have the product's own store on a disk that tears.
	Disk Disk
}

// Disk chooses between the disk that has commits as a whole and the one that tears.
type Disk int

// The choices.
const (
	// SomeTorn leaves it to the seed: one of four tears.
	SomeTorn Disk = iota
	// AllTorn has it tear with all seeds.
	AllTorn
)

// Result is the outcome of a simulation.
type Result struct {
	Seed   uint64
	Report *verify.Report
	// Steps counts how often an actor ran, Crashes the processes that died.
	Steps, Crashes int
	// Torn says that the state was on a disk that tears.
	Torn bool
	// Digest is made of every record that was written, in the order of writing.
	Digest uint64
}

// Violation says what went wrong, empty when nothing did.
func (r Result) Violation() string {
	if len(r.Report.Broken)+len(r.Report.Open) == 0 {
		return ""
	}
	return fmt.Sprintf("seed %d: %s", r.Seed, r.Report.Text(12))
}

const (
	hour = 3_600_000
	// maxSteps is how many steps a simulation may take; none takes a hundredth of it.
	maxSteps = 2_000_000
	// killedApart is how many steps lie between two faults, about.
	killedApart = 150
)

// World is one simulation.
type World struct {
	pipeline *Pipeline
	options  Options
	random   *rand.Rand
	keys     task.Partitioner

	steps    int
	clock    int64 // in milliseconds, never goes back
	jump     int64 // what the clock that records are stamped by is ahead
	jumped   bool
	runnable []*actor
	healed   bool // no more faults

	log    map[tail.Partition]*partition
	order  []tail.Partition // of log, as they came
	disk   disk
	digest uint64

	up, second    *process
	down          []*process // that are to be started again
	instances     [2]*instance
	stock, emails *group
	living        int // clients that are not done
	claims        verify.Claims
	shipped       map[string]bool
	crashedAt     []int // steps
	sends         map[string][]*send
	found         []verify.Finding // while it ran
	fault         int
}

// Run simulates a seed.
func (p *Pipeline) Run(ctx context.Context, seed uint64, options Options) (result Result, err error) {
	w := &World{
		pipeline: p, options: options, random: rand.New(rand.NewPCG(seed, 0x5eed)), keys: task.NewPartitioner(),
		clock: 1_800_000_000_000, log: map[tail.Partition]*partition{}, disk: wholeDisk{},
		stock:   newGroup(order.TopicOrdersByProduct, order.TopicWarehouseInventory),
		emails:  newGroup(order.TopicEmails, order.TopicOrdersEnriched),
		shipped: map[string]bool{}, sends: map[string][]*send{},
		claims: verify.Claims{Orders: map[string][]verify.Order{}, Payments: map[string]verify.Payment{}},
	}
	w.up, w.second = &process{name: "up", start: w.startUp}, &process{name: "second", start: w.startSecond}
	w.instances = [2]*instance{{process: w.up}, {process: w.second}}
	for _, i := range w.instances {
		i.forget()
	}
	isTorn := w.random.IntN(4) == 0 || options.Disk == AllTorn
	if isTorn {
		d, err := newTornDisk(w.random, options.Bug)
		if err != nil {
			return Result{}, err
		}
		w.disk = d
	}
	defer func() {
		w.up.kill()
		w.second.kill()
		if closing := w.disk.close(); err == nil {
			err = closing
		}
	}()
	if err := w.fillCustomers(); err != nil {
		return Result{}, err
	}
	w.up.start()
	w.second.start()
	users := &process{name: "users"}
	defer users.kill()
	clients := 2 + w.random.IntN(2)
	for n := range clients {
		w.living++
		w.spawn(users, fmt.Sprint("client ", n), func(a *actor) { (&client{a, w}).live(n) })
	}
	w.living++
	w.spawn(users, "stock", func(a *actor) { (&client{a, w}).fill() })
	if w.random.IntN(2) == 0 {
		w.living++
		w.spawn(users, "rival", func(a *actor) { (&client{a, w}).rival(w.random.IntN(clients)) })
	}
	w.fault = w.random.IntN(10)
	report := &verify.Report{}
	if lost := w.loop(); lost != nil {
		report.Broken = append(report.Broken, verify.Finding{Rule: "the store starts after a crash", Subject: stateDir, Detail: lost.Error()})
	} else {
		report, err = w.check(ctx)
	}
	return Result{Seed: seed, Report: report, Steps: w.steps, Crashes: len(w.crashedAt), Torn: isTorn, Digest: w.digest}, err
}

// loop runs actors and lets faults happen until everything is worked off.
func (w *World) loop() error {
	for w.steps < maxSteps {
		if w.living == 0 && w.fault == 0 && !w.healed {
			w.heal()
		}
		if w.fault > 0 && (w.random.IntN(killedApart) == 0 || len(w.runnable) == 0) {
			w.fault--
			if err := w.disturb(); err != nil {
				return err
			}
		}
		for i := 0; i < len(w.down); i++ {
			if p := w.down[i]; len(w.runnable) == 0 || w.healed || w.random.IntN(20) == 0 {
				w.down = slices.Delete(w.down, i, i+1)
				i--
				w.stock.bury()
				w.emails.bury()
				p.start()
			}
		}
		if !w.run() && len(w.down) == 0 && (w.healed || w.living > 0 && w.fault == 0) {
			return nil
		}
	}
	return nil
}

// heal ends the faults.
func (w *World) heal() {
	w.healed = true
	for _, at := range w.order {
		for _, a := range w.log[at].readers {
			a.wake()
		}
	}
}

// faulty is true once in n times, as long as there are faults.
func (w *World) faulty(n int) bool { return !w.healed && w.random.IntN(n) == 0 }

// now is the time by which records are stamped.
func (w *World) now() int64 { return w.clock + w.jump }

// disturb is one of the faults that concern more than one actor.
func (w *World) disturb() error {
	switch w.random.IntN(10) {
	case 0:
		w.jump, w.jumped = w.random.Int64N(2*hour+1)-hour, true
		return nil
	case 1:
		w.giveUp(w.stock)
		return nil
	case 2, 3, 4, 5:
		return w.crash(w.second)
	case 6:
		return errors.Join(w.crash(w.second), w.crash(w.up))
	default:
		return w.crash(w.up)
	}
}

// giveUp puts a member out of its group while it works.
func (w *World) giveUp(g *group) {
	if len(g.members) > 0 {
		g.leave(g.members[w.random.IntN(len(g.members))])
	}
}

// crash kills a process. The broker is in the first one; with it the groups are
// forgotten.
func (w *World) crash(p *process) error {
	if slices.Contains(w.down, p) {
		return nil
	}
	w.crashedAt = append(w.crashedAt, w.steps)
	w.claims.Kills = append(w.claims.Kills, time.UnixMilli(w.clock))
	p.kill()
	if p == w.up {
		for _, m := range slices.Concat(w.stock.members, w.emails.members) {
			m.a.stall = w.random.IntN(60) // it waits for the broker, then works on
		}
		w.stock.forget()
		w.emails.forget()
	}
	w.instances[slices.IndexFunc(w.instances[:], func(i *instance) bool { return i.process == p })].forget()
	w.down = append(w.down, p)
	if p == w.up {
		return w.disk.crash()
	}
	return nil
}

func (w *World) startUp() {
	for _, q := range w.pipeline.queries {
		w.session(w.up, q)
	}
	w.serve(w.up, "inventory 1", w.stock, w.newInventory)
	w.serve(w.up, "email 1", w.emails, w.newEmail)
}

func (w *World) startSecond() {
	w.serve(w.second, "inventory 2", w.stock, w.newInventory)
	w.serve(w.second, "email 2", w.emails, w.newEmail)
}

// note takes a record into the digest.
func (w *World) note(rec *kgo.Record) {
	w.mix([]byte(rec.Topic))
	w.mix([]byte{byte(rec.Partition)})
	w.mix(rec.Key)
	w.mix(rec.Value)
}

func (w *World) mix(b []byte) {
	h := fnv.New64a()
	var last [8]byte
	for i := range last {
		last[i] = byte(w.digest >> (8 * i))
	}
	// Writing to a hash never fails.
	_, _ = h.Write(last[:])
	_, _ = h.Write(b)
	w.digest = h.Sum64()
}

// tableOf reports whether a query makes a table.
func tableOf(queryID, table string) bool {
	_, rest, ok := strings.Cut(queryID, "_")
	return ok && (strings.HasPrefix(rest, table+"_") || rest == table)
}

// check compares what is in the topics with what was promised.
func (w *World) check(ctx context.Context) (*verify.Report, error) {
	reader := w.pipeline.reader.Empty()
	folds := map[int32]*ledger.Fold{}
	for _, at := range w.order {
		if internal(at.Topic) {
			continue
		}
		for _, rec := range w.log[at].records {
			if err := reader.Take(ctx, rec); err != nil {
				return nil, fmt.Errorf("reading %s offset %d: %w", at, rec.Offset, err)
			}
			if at.Topic == order.TopicInventoryLedger {
				e, err := w.pipeline.ledger.Decode(ctx, rec)
				if err != nil {
					return nil, err
				}
				if folds[at.Partition] == nil {
					folds[at.Partition] = ledger.NewFold()
				}
				folds[at.Partition].Apply(e)
			}
		}
	}
	claims := w.claims
	claims.Shipped, claims.Late = w.shipped, w.jumped
	for n := range int32(partitions) {
		if folds[n] == nil {
			continue
		}
		for _, s := range folds[n].Stocks() {
			claims.Stock = append(claims.Stock, verify.Stock{Product: s.Product, Warehouse: s.Warehouse, Reserved: s.Reserved})
		}
	}
	var err error
	if claims.Fraud, err = w.fraudRows(); err != nil {
		return nil, err
	}
	if claims.Table, err = w.states(); err != nil {
		return nil, err
	}
	report := verify.Check(reader.History(), claims)
	report.Broken = append(report.Broken, w.found...)
	if w.living > 0 || w.steps >= maxSteps {
		report.Open = append(report.Open, verify.Finding{
			Rule: "everything is worked off", Subject: fmt.Sprint(w.steps, " steps"), Detail: fmt.Sprintf("%d clients are not served", w.living),
		})
	}
	return report, nil
}

// fraudRows reads the fraud table.
func (w *World) fraudRows() ([]verify.FraudRow, error) {
	rows := []verify.FraudRow{}
	err := w.scan("FRAUD_ORDER", func(row *types.Row) {
		rows = append(rows, verify.FraudRow{
			CustomerID: row.Key[0].Int(), LastName: row.Key[1].Str(), FirstName: row.Key[2].Str(),
			WindowStart: row.Window.Start, Count: row.Value[0].Int(),
		})
	})
	return rows, err
}

// states reads the table of states.
func (w *World) states() (map[string]string, error) {
	states := map[string]string{}
	err := w.scan("ORDER_STATES", func(row *types.Row) { states[row.Key[0].Str()] = row.Value[2].Str() })
	return states, err
}

// scan reads all rows of a table.
func (w *World) scan(table string, take func(*types.Row)) error {
	for _, q := range w.pipeline.queries {
		m := q.topology.Materialization
		if m == nil || !tableOf(q.id, table) {
			continue
		}
		for n := range int32(partitions) {
			stores := w.disk.committed(state.TaskID{Query: q.id, Sub: m.Sub, Partition: n})
			err := m.Scan(stores, nil, nil, func(row *types.Row) bool {
				take(row)
				return true
			})
			if err != nil {
				return fmt.Errorf("reading the table %s: %w", table, err)
			}
		}
	}
	return nil
}
