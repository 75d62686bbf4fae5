package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/email"
	"github.com/orderflow/orderflow/internal/inventory"
	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/verify"
)

// group is a consumer group: its coordinator at the broker.
type group struct {
	topics     []string
	generation int
	members    []*member
	committed  map[int32]map[string]int64 // by partition and topic
}

// member is one membership of an instance.
type member struct {
	a          *actor
	generation int // of the assignment that it works with
	assigned   []int32
	busy       bool
	// held says that the member waits for others to finish.
	held      bool
	positions map[int32]map[string]int64
}

var errNoMember = errors.New("the group does not know this member")

func newGroup(topics ...string) *group {
	return &group{topics: topics, committed: map[int32]map[string]int64{}}
}

// join adds a member, and has the partitions given out anew.
func (g *group) join(a *actor) *member {
	m := &member{a: a}
	g.members = append(g.members, m)
	g.rebalance()
	return m
}

func (g *group) leave(m *member) {
	if i := slices.Index(g.members, m); i >= 0 {
		g.members = slices.Delete(g.members, i, i+1)
		g.rebalance()
	}
}

// rebalance begins a generation. Each member takes part in it between two batches.
func (g *group) rebalance() {
	g.generation++
	for _, m := range g.members {
		m.a.wake()
	}
}

// forget is what a broker does that dies: who was a member is none any more.
func (g *group) forget() {
	members := g.members
	g.members = nil
	g.generation++
	for _, m := range members {
		m.a.wake()
	}
}

func (g *group) knows(m *member) bool { return slices.Contains(g.members, m) }

// settled reports whether a member may take over what the generation gives it: the
// others have finished what they began under an older one.
func (g *group) settled(m *member) bool {
	return !slices.ContainsFunc(g.members, func(o *member) bool { return o != m && o.busy && o.generation != g.generation })
}

// release has those look again who wait for others to finish.
func (g *group) release() {
	for _, m := range g.members {
		if m.held {
			m.a.wake()
		}
	}
}

// bury removes the members of which nothing is heard any more.
func (g *group) bury() {
	before := len(g.members)
	g.members = slices.DeleteFunc(g.members, func(m *member) bool { return m.a.dead })
	if len(g.members) < before {
		g.rebalance()
	}
}

// share returns the partitions of a member.
func (g *group) share(m *member) []int32 {
	var own []int32
	at := slices.Index(g.members, m)
	for p := range int32(partitions) {
		if int(p)%len(g.members) == at {
			own = append(own, p)
		}
	}
	return own
}

// worker is a service's work; inventory.Worker and email.Worker are.
type worker interface {
	TakeOver(ctx context.Context, partitions []int32) error
	Handle(ctx context.Context, records []*kgo.Record) error
}

// serve runs an instance of a service: a membership after the other.
func (w *World) serve(p *process, name string, g *group, work func(a *actor, m *member) worker) {
	w.spawn(p, name, func(a *actor) {
		for _, topic := range g.topics {
			for n := range int32(partitions) {
				w.follow(a, topic, n)
			}
		}
		for !a.dead {
			m := g.join(a)
			err := w.rounds(g, m, work(a, m))
			if a.dead {
				return // the group finds out later
			}
			m.busy = false
			g.leave(m)
			g.release()
			if err == nil || a.pause() != nil {
				return
			}
		}
	})
}

// rounds is the loop of kafka.Group over the simulated group.
func (w *World) rounds(g *group, m *member, work worker) error {
	for {
		m.busy = false
		g.release()
		if !g.knows(m) {
			return errNoMember
		}
		if m.generation != g.generation {
			if m.held = !g.settled(m); m.held {
				if err := m.a.wait(); err != nil {
					return err
				}
				continue
			}
			m.generation, m.assigned = g.generation, g.share(m)
			m.positions = map[int32]map[string]int64{}
			for _, n := range m.assigned {
				m.positions[n] = map[string]int64{}
				for topic, offset := range g.committed[n] {
					m.positions[n][topic] = offset
				}
			}
			m.busy = true
			if err := work.TakeOver(m.a.ctx, m.assigned); err != nil {
				return err
			}
			continue
		}
		records := w.fetch(g, m)
		if len(records) == 0 {
			if err := m.a.wait(); err != nil {
				return err
			}
			continue
		}
		m.busy = true
		if w.options.Bug == CommitBeforeHandle {
			g.commit(m, records)
		}
		if err := m.a.pause(); err != nil {
			return err
		}
		if g == w.stock && w.faulty(15) {
			g.leave(m) // it was silent for too long, and works on all the same
			m.a.stall = w.random.IntN(60)
		}
		if err := work.Handle(m.a.ctx, records); err != nil {
			return err
		}
		if err := m.a.pause(); err != nil {
			return err
		}
		if w.faulty(60) {
			return errLost
		}
		if !g.commit(m, records) {
			return errNoMember
		}
	}
}

// fetch returns some of what comes next in the member's partitions.
func (w *World) fetch(g *group, m *member) []*kgo.Record {
	var records []*kgo.Record
	for _, n := range m.assigned {
		for _, topic := range g.topics {
			next := w.partition(topic, n).records[m.positions[n][topic]:]
			if len(next) > 0 && w.faulty(2) {
				next = next[:1+w.random.IntN(len(next))]
			}
			m.positions[n][topic] += int64(len(next))
			for _, rec := range next {
				fetched := *rec
				records = append(records, &fetched)
			}
		}
	}
	return records
}

// commit notes what a member has done, unless the partitions are another's by now.
func (g *group) commit(m *member, records []*kgo.Record) bool {
	if !g.knows(m) {
		return false
	}
	for _, rec := range records {
		if g.committed[rec.Partition] == nil {
			g.committed[rec.Partition] = map[string]int64{}
		}
		g.committed[rec.Partition][rec.Topic] = rec.Offset + 1
	}
	return true
}

// inventoryLedger is the ledger as an instance has read it.
type inventoryLedger struct {
	a     *actor
	next  map[int32]int64
	folds map[int32]*ledger.Fold
}

func (l *inventoryLedger) Add(partition int32) {
	if l.folds[partition] == nil {
		l.folds[partition] = ledger.NewFold()
	}
}

func (l *inventoryLedger) Fold(partition int32) *ledger.Fold {
	l.Add(partition)
	return l.folds[partition]
}

func (l *inventoryLedger) CatchUp(ctx context.Context) error {
	ends := map[int32]int64{}
	for n := range l.folds {
		ends[n] = l.a.world.partition(order.TopicInventoryLedger, n).end()
	}
	return l.ReadTo(ctx, ends)
}

func (l *inventoryLedger) ReadTo(_ context.Context, ends map[int32]int64) error {
	if err := l.a.pause(); err != nil {
		return err
	}
	w := l.a.world
	for n := range int32(partitions) {
		if l.folds[n] == nil || l.next[n] >= ends[n] {
			continue
		}
		p := w.partition(order.TopicInventoryLedger, n)
		to := ends[n]
		if w.faulty(2) {
			to = p.end()
		}
		for ; l.next[n] < to; l.next[n]++ {
			if err := l.apply(p.records[l.next[n]]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *inventoryLedger) apply(rec *kgo.Record) error {
	e, err := l.a.world.pipeline.ledger.Decode(context.Background(), rec)
	if err == nil {
		l.Fold(rec.Partition).Apply(e)
	}
	return err
}

// ProduceSync writes for an instance of the inventory.
func (l *inventoryLedger) ProduceSync(_ context.Context, records ...*kgo.Record) kgo.ProduceResults {
	if l.a.world.options.Bug == AnswerBeforeReading {
		for _, rec := range records {
			if rec.Topic == order.TopicInventoryLedger {
				rec.Partition = l.a.world.keys.Partition(rec.Key, 0, partitions)
				if err := l.apply(rec); err != nil {
					return kgo.ProduceResults{{Record: rec, Err: err}}
				}
			}
		}
	}
	return producer{a: l.a, duplicates: true, loses: true}.produce(records...)
}

// readNothing is the ledger of an instance that does not read back what it wrote.
type readNothing struct{ *inventoryLedger }

func (l readNothing) ReadTo(context.Context, map[int32]int64) error { return nil }

func (w *World) newInventory(a *actor, _ *member) worker {
	l := &inventoryLedger{a: a, next: map[int32]int64{}, folds: map[int32]*ledger.Fold{}}
	cfg := inventory.WorkerConfig{
		Producer: l, Ledger: l, LedgerPartitions: partitions,
		PartitionOf: func(product string) int32 { return w.keys.Partition([]byte(product), 0, partitions) },
		Entries:     w.pipeline.encoders[order.TopicInventoryLedger], Results: w.pipeline.encoders[order.TopicValidations],
	}
	if w.options.Bug == AnswerBeforeReading {
		cfg.Ledger = readNothing{l}
	}
	return w.pipeline.inventory.Worker(cfg)
}

// mailer is what an instance of the e-mail service works over. Its producer tries
// until it has an answer, as a Kafka client does for as long as the service waits.
type mailer struct {
	a    *actor
	g    *group
	m    *member
	next map[int32]int64

	confirmed int   // the step of the last confirmation
	last      *send // the e-mail that was sent last
}

// send is an e-mail on its way: the steps at which its sender was confirmed to be a
// member, and at which its entry was acknowledged, 0 for not yet.
type send struct{ confirmed, noted int }

func (s *mailer) ProduceSync(_ context.Context, records ...*kgo.Record) kgo.ProduceResults {
	results := producer{a: s.a, duplicates: true}.produce(records...)
	if results.FirstErr() == nil && s.last != nil {
		s.last.noted = s.a.world.steps
	}
	return results
}

// Confirm implements email.Membership.
func (s *mailer) Confirm(context.Context) error {
	if err := s.a.pause(); err != nil {
		return err
	}
	if !s.g.knows(s.m) && s.a.world.options.Bug != MailWithoutMembership {
		return errNoMember
	}
	s.confirmed = s.a.world.steps
	return nil
}

// Send implements email.Sender.
func (s *mailer) Send(_ context.Context, e email.Email) error {
	if s.a.dead {
		return errDied
	}
	w := s.a.world
	for _, earlier := range w.sends[e.MessageID] {
		if !w.crashedWithin(earlier) {
			w.found = append(w.found, verify.Finding{
				Rule: verify.RuleRepeatedMail, Subject: e.MessageID, Detail: fmt.Sprintf("it is sent at step %d and was sent by a member of step %d", w.steps, earlier.confirmed),
			})
		}
	}
	s.last = &send{confirmed: s.confirmed}
	w.sends[e.MessageID] = append(w.sends[e.MessageID], s.last)
	w.claims.Mail = append(w.claims.Mail, verify.Delivery{MessageID: e.MessageID, Recipient: e.To, At: time.UnixMilli(w.clock)})
	w.mix([]byte(e.MessageID))
	return s.a.pause()
}

// crashedWithin reports whether something died between the confirmation of an
// e-mail's sender and the e-mail's entry. Nothing else may make it be sent again.
func (w *World) crashedWithin(s *send) bool {
	return slices.ContainsFunc(w.crashedAt, func(step int) bool {
		return step >= s.confirmed && (s.noted == 0 || step <= s.noted)
	})
}

func (s *mailer) catchUp(_ context.Context, learn func(*kgo.Record) error) error {
	if err := s.a.pause(); err != nil {
		return err
	}
	if s.a.world.options.Bug == ForgetMail {
		return nil
	}
	for n := range int32(partitions) {
		for _, rec := range s.a.world.partition(order.TopicEmailLedger, n).records[s.next[n]:] {
			if err := learn(rec); err != nil {
				return err
			}
			s.next[n] = rec.Offset + 1
		}
	}
	return nil
}

func (w *World) newEmail(a *actor, m *member) worker {
	s := &mailer{a: a, g: w.emails, m: m, next: map[int32]int64{}}
	return w.pipeline.email.Worker(email.WorkerConfig{
		Producer: s, Group: s, CatchUp: s.catchUp, Sender: s,
		Entries: w.pipeline.encoders[order.TopicEmailLedger], Letters: w.pipeline.encoders[order.TopicEmailDeadLetters],
	})
}
