package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/membership"
)

const (
	// maxBatch is how many records a Group hands over at once when nothing else is said.
	maxBatch = 1000
	// batchTimeout bounds how long the work on them may take, and finishTimeout how long it
	// may go on while the member is stopping.
	batchTimeout  = 30 * time.Second
	finishTimeout = 7 * time.Second
	// sessionTimeout is how long a group waits for a silent member, so that the
	// partitions of a dead one do not wait long.
	sessionTimeout = 10 * time.Second
	heartbeat      = time.Second
	groupFetchWait = time.Second
	// leaveTimeout is how long each of the two ways of leaving the group may take.
	leaveTimeout = time.Second
)

// GroupConfig says what a member of a consumer group does.
type GroupConfig struct {
	// Group is the group's name.
	Group string
	// Topics are consumed, each from its first record on when the group is new. Equal
	// partitions of different topics go to the same member.
	Topics []string
	// Assigned is called with the numbers of newly assigned partitions before any of
	// their records is handled, also when there are none. It has as long as it takes, and
	// ends with Run's context.
	Assigned func(ctx context.Context, partitions []int32) error
	// Handle does everything that the records call for. Their offsets are committed
	// when it has returned nil; after an error they will be handled again.
	Handle func(ctx context.Context, records []*kgo.Record) error
	// MaxRecords bounds how many records are handed over at once, which has 30 seconds;
	// what is slow takes few. 0 means 1000.
	MaxRecords int
	// Options are further options of the client.
	Options []kgo.Opt
}

// Group is one member of a consumer group.
type Group struct {
	cfg    GroupConfig
	kafka  Config
	client *kgo.Client
	// abandon ends what the client does, also a join that is under way.
	abandon context.CancelFunc
	closed  sync.Once

	mu       sync.Mutex
	assigned bool           // partitions, or none, were given since the last take-over
	fresh    map[int32]bool // those that are to be taken over
	wake     func()         // ends a running poll
}

// NewGroup prepares a member. It joins when Run is called. Whoever made it calls Close.
func NewGroup(cfg Config, group GroupConfig) (*Group, error) {
	if group.MaxRecords == 0 {
		group.MaxRecords = maxBatch
	}
	life, abandon := context.WithCancel(context.Background())
	g := &Group{cfg: group, kafka: cfg, abandon: abandon, fresh: map[int32]bool{}, wake: func() {}}
	client, err := NewClient(cfg, append([]kgo.Opt{
		kgo.WithContext(life),
		kgo.ConsumerGroup(group.Group),
		kgo.ConsumeTopics(group.Topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(kgo.RangeBalancer()),
		kgo.SessionTimeout(sessionTimeout),
		kgo.HeartbeatInterval(heartbeat),
		kgo.FetchMaxWait(groupFetchWait),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(g.onAssigned),
	}, group.Options...)...)
	if err != nil {
		abandon()
		return nil, err
	}
	g.client = client
	return g, nil
}

// Client returns the member's client, to produce with.
func (g *Group) Client() *kgo.Client { return g.client }

// Confirm asks the group whether this member is still one of it, and returns an error
// when it is not, or when that cannot be found out. A broker that has forgotten its
// groups gives a member's partitions to others while it still works on their records;
// what must not be done by both is done right after Confirm.
func (g *Group) Confirm(ctx context.Context) error {
	return ConfirmMember(ctx, g.client, g.cfg.Group)
}

// ConfirmMember is Confirm for a client that consumes as a member of a group by itself.
func ConfirmMember(ctx context.Context, client *kgo.Client, group string) error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group = group
	req.MemberID, req.Generation = client.GroupMetadata()
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	// The others wait for this member until it has finished.
	if err != nil && !errors.Is(err, kerr.RebalanceInProgress) {
		return fmt.Errorf("asking whether this is still a member of group %s: %w", group, err)
	}
	return nil
}

// Close leaves the group, also when the group waits for a member that died.
func (g *Group) Close() { g.closed.Do(g.leave) }

func (g *Group) leave() {
	var other *kgo.Client
	member := membership.Member{Client: g.client, Abandon: g.abandon, Group: g.cfg.Group, Other: func() (c *kgo.Client, err error) {
		other, err = NewClient(g.kafka)
		return other, err
	}}
	err := member.Close(leaveTimeout)
	if other != nil {
		other.Close()
	}
	if err != nil {
		g.kafka.logger().Warn("the others of a consumer group get this member's partitions only when its session ends", "session", sessionTimeout, "error", err)
	}
}

// CheckTopics reports which of the topics do not exist, and returns the number of
// partitions of each.
func (g *Group) CheckTopics(ctx context.Context, topics ...string) (map[string]int, error) {
	found, err := kadm.NewClient(g.client).ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("looking up topics: %w", err)
	}
	partitions := map[string]int{}
	for _, t := range found {
		if t.Err != nil {
			return nil, fmt.Errorf("looking up topic %s (`orderflow topics apply` and `orderflow migrate apply` create it): %w", t.Topic, t.Err)
		}
		partitions[t.Topic] = len(t.Partitions)
	}
	return partitions, nil
}

// onAssigned is called by the client while nothing is being handled.
func (g *Group) onAssigned(_ context.Context, _ *kgo.Client, assigned map[string][]int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.assigned = true
	for _, partitions := range assigned {
		for _, p := range partitions {
			g.fresh[p] = true
		}
	}
	g.wake()
}

// Run consumes until ctx ends, when it returns the context's error after finishing
// what it has begun, for which there are 7 seconds, or until something fails.
func (g *Group) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := g.round(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (g *Group) round(ctx context.Context) error {
	pollCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	g.mu.Lock()
	g.wake = cancel
	if g.assigned {
		cancel()
	}
	g.mu.Unlock()

	fetches := g.client.PollRecords(pollCtx, g.cfg.MaxRecords)
	defer g.client.AllowRebalance()
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.Canceled) {
			return fmt.Errorf("reading %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	// A ledger may be so long that reading it takes more than the time for a batch, and an
	// attempt that is broken off would have to begin anew.
	if err := g.takeOver(ctx); err != nil {
		return err
	}
	work, done := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer done()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(finishTimeout, done) })
	defer stop()
	records := fetches.Records()
	if len(records) == 0 {
		return nil
	}
	if err := g.cfg.Handle(work, records); err != nil {
		return err
	}
	if err := g.client.CommitRecords(work, records...); err != nil {
		return fmt.Errorf("committing offsets of group %s: %w", g.cfg.Group, err)
	}
	return nil
}

func (g *Group) takeOver(ctx context.Context) error {
	g.mu.Lock()
	assigned := g.assigned
	var partitions []int32
	for p := range g.fresh {
		partitions = append(partitions, p)
	}
	g.assigned = false
	clear(g.fresh)
	g.mu.Unlock()
	if !assigned || g.cfg.Assigned == nil {
		return nil
	}
	slices.Sort(partitions)
	return g.cfg.Assigned(ctx, partitions)
}
