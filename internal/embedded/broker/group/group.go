package group

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/journal"
)

// state is that of a group, by Kafka's names.
type state string

const (
	empty      state = "Empty"
	preparing  state = "PreparingRebalance"  // waiting for members to join
	completing state = "CompletingRebalance" // waiting for the leader's assignment
	stable     state = "Stable"
	dead       state = "Dead" // no longer among the coordinator's groups
)

// group is one group. mu guards everything but the name.
type group struct {
	name string
	c    *Coordinator

	mu           sync.Mutex
	state        state
	generation   int32
	protocolType string
	protocol     string
	leader       string // member id
	members      map[string]*member
	order        []string               // member ids, as they came
	instances    map[string]string      // static members: instance id to member id
	pending      map[string]*time.Timer // ids that were given out and not used yet
	deadline     *time.Timer            // of the rebalance's present phase
	offsets      map[topicPartition]storedOffset
}

// member is one member of a group.
type member struct {
	id               string
	instance         string // "" for a dynamic one
	clientID, host   string
	session          time.Duration
	rebalance        time.Duration
	protocolType     string
	protocols        []kmsg.JoinGroupRequestProtocol
	assignment       []byte
	synced           bool // got or asked for its assignment of this generation
	joining          chan kmsg.JoinGroupResponse
	syncing          chan kmsg.SyncGroupResponse
	heard            time.Time
	expiry           *time.Timer
	supportsSkipping bool
}

func newGroup(c *Coordinator, name string) *group {
	return &group{
		name: name, c: c, state: empty,
		members: map[string]*member{}, instances: map[string]string{},
		pending: map[string]*time.Timer{}, offsets: map[topicPartition]storedOffset{},
	}
}

// die takes an empty group out of the coordinator, whose lock must be held.
func (g *group) die() error {
	changes := []journal.Change{{Key: groupKey + g.name}}
	for tp := range g.offsets {
		changes = append(changes, journal.Change{Key: offsetKeyOf(g.name, tp)})
	}
	if err := g.c.cfg.Journal.Apply(changes...); err != nil {
		return err
	}
	g.stopTimers()
	g.state = dead
	delete(g.c.groups, g.name)
	return nil
}

func (g *group) stopTimers() {
	for _, t := range g.pending {
		t.Stop()
	}
	clear(g.pending)
	for _, m := range g.members {
		m.expiry.Stop()
	}
	g.stopDeadline()
}

func (g *group) stopDeadline() {
	if g.deadline != nil {
		g.deadline.Stop()
		g.deadline = nil
	}
}

// setDeadline has act called when the rebalance's phase has taken too long.
func (g *group) setDeadline(after time.Duration, act func()) {
	g.stopDeadline()
	var t *time.Timer
	t = time.AfterFunc(after, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.deadline == t {
			g.deadline = nil
			act()
		}
	})
	g.deadline = t
}

// watch has a member removed when nothing is heard of it for its session
// timeout.
func (g *group) watch(m *member) {
	m.heard = time.Now()
	m.expiry = time.AfterFunc(m.session, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.members[m.id] != m {
			return
		}
		// One that waits for an answer can't send anything.
		if m.joining != nil || m.syncing != nil {
			m.expiry.Reset(m.session)
			return
		}
		if left := m.session - time.Since(m.heard); left > 0 {
			m.expiry.Reset(left)
			return
		}
		g.remove(m)
	})
}

// add takes in a member.
func (g *group) add(m *member) {
	g.members[m.id] = m
	g.order = append(g.order, m.id)
	if m.instance != "" {
		g.instances[m.instance] = m.id
	}
	g.watch(m)
}

// drop takes a member out, without a rebalance.
func (g *group) drop(m *member, answer *kerr.Error) {
	m.expiry.Stop()
	m.answerJoin(kmsg.JoinGroupResponse{ErrorCode: answer.Code, Generation: -1, MemberID: m.id})
	m.answerSync(kmsg.SyncGroupResponse{ErrorCode: answer.Code})
	delete(g.members, m.id)
	g.order = slices.DeleteFunc(g.order, func(id string) bool { return id == m.id })
	if g.instances[m.instance] == m.id {
		delete(g.instances, m.instance)
	}
	if g.leader == m.id {
		g.leader = ""
		if len(g.order) > 0 {
			g.leader = g.order[0]
		}
	}
}

// remove takes a member out and has the others share its work.
func (g *group) remove(m *member) {
	g.drop(m, kerr.UnknownMemberID)
	g.changed()
}

// changed starts a rebalance after members left, or completes the one under way.
func (g *group) changed() {
	switch g.state {
	case stable, completing:
		g.prepare()
	case preparing:
		g.tryComplete()
	}
}

func (m *member) answerJoin(resp kmsg.JoinGroupResponse) {
	if m.joining != nil {
		m.joining <- resp // it has room for one
		m.joining = nil
	}
}

func (m *member) answerSync(resp kmsg.SyncGroupResponse) {
	if m.syncing != nil {
		m.syncing <- resp // it has room for one
		m.syncing = nil
	}
}

// prepare begins a rebalance: all members have to join again.
func (g *group) prepare() {
	for _, m := range g.members {
		m.assignment, m.synced = nil, false
		m.answerSync(kmsg.SyncGroupResponse{ErrorCode: kerr.RebalanceInProgress.Code})
	}
	first := g.state == empty
	g.state = preparing
	wait := time.Duration(0)
	for _, m := range g.members {
		wait = max(wait, m.rebalance)
	}
	if first && g.c.cfg.InitialDelay > 0 {
		g.setDeadline(min(g.c.cfg.InitialDelay, wait), g.complete)
		return
	}
	g.setDeadline(wait, g.complete)
	g.tryComplete()
}

// tryComplete ends the joining phase once everybody is there.
func (g *group) tryComplete() {
	if g.state != preparing || len(g.pending) > 0 {
		return
	}
	for _, m := range g.members {
		if m.joining == nil {
			return
		}
	}
	g.complete()
}

// complete ends the joining phase: who hasn't joined is out, but for static
// members, which keep their place until their session ends.
func (g *group) complete() {
	g.stopDeadline()
	joined := 0
	for _, id := range slices.Clone(g.order) {
		m := g.members[id]
		switch {
		case m.joining != nil:
			joined++
		case m.instance == "":
			g.drop(m, kerr.UnknownMemberID)
		}
	}
	if joined == 0 && len(g.members) > 0 {
		// Static members only, none of which has joined: they may still come.
		wait := time.Duration(0)
		for _, m := range g.members {
			wait = max(wait, m.rebalance)
		}
		g.setDeadline(wait, g.complete)
		return
	}
	g.generation = (g.generation + 1) & 0x7fffffff
	if len(g.members) == 0 {
		g.state, g.leader, g.protocol = empty, "", ""
		g.save()
		return
	}
	if leader := g.members[g.leader]; leader == nil || leader.joining == nil {
		for _, id := range g.order {
			if g.members[id].joining != nil {
				g.leader = id
				break
			}
		}
	}
	g.protocol = g.choose()
	g.state = completing
	g.save()
	wait := time.Duration(0)
	for _, m := range g.members {
		wait = max(wait, m.rebalance)
		m.synced = false
		m.heard = time.Now()
		m.answerJoin(g.joinResult(m))
	}
	g.setDeadline(wait, g.dropUnsynced)
}

// dropUnsynced removes the members that didn't ask for their assignment in time.
func (g *group) dropUnsynced() {
	late := false
	for _, id := range slices.Clone(g.order) {
		if m := g.members[id]; !m.synced && m.instance == "" {
			g.drop(m, kerr.UnknownMemberID)
			late = true
		}
	}
	if late || g.state == completing {
		g.changed()
	}
}

// save notes the group's generation. A commit of an older one is refused by its
// member id also without it, so an error is only logged.
func (g *group) save() {
	raw, err := json.Marshal(storedGroup{ProtocolType: g.protocolType, Generation: g.generation})
	if err == nil {
		err = g.c.cfg.Journal.Apply(journal.Change{Key: groupKey + g.name, Value: raw})
	}
	if err != nil {
		g.c.cfg.Logger.Warn("broker: noting a group's generation", "group", g.name, "error", err)
	}
}

// choose gives the protocol that most members like best of those all have.
func (g *group) choose() string {
	votes := map[string]int{}
	best := ""
	for _, id := range g.order {
		for _, p := range g.members[id].protocols {
			if !g.allHave(p.Name) {
				continue
			}
			votes[p.Name]++
			if best == "" || votes[p.Name] > votes[best] {
				best = p.Name
			}
			break
		}
	}
	return best
}

func (g *group) allHave(protocol string) bool {
	for _, m := range g.members {
		if !m.has(protocol) {
			return false
		}
	}
	return true
}

func (m *member) has(protocol string) bool {
	return slices.ContainsFunc(m.protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return p.Name == protocol })
}

// metadata is what a member said with the protocol that was chosen.
func (m *member) metadata(protocol string) []byte {
	for _, p := range m.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

// joinResult is the answer to a member of the present generation.
func (g *group) joinResult(m *member) kmsg.JoinGroupResponse {
	resp := kmsg.NewJoinGroupResponse()
	resp.Generation = g.generation
	resp.ProtocolType = kmsg.StringPtr(g.protocolType)
	resp.Protocol = kmsg.StringPtr(g.protocol)
	resp.LeaderID = g.leader
	resp.MemberID = m.id
	if m.id == g.leader {
		resp.Members = g.roster()
	}
	return resp
}

// roster is what the leader needs to know of all members.
func (g *group) roster() []kmsg.JoinGroupResponseMember {
	members := make([]kmsg.JoinGroupResponseMember, 0, len(g.order))
	for _, id := range g.order {
		m := g.members[id]
		r := kmsg.NewJoinGroupResponseMember()
		r.MemberID, r.InstanceID, r.ProtocolMetadata = id, m.instancePtr(), m.metadata(g.protocol)
		members = append(members, r)
	}
	return members
}

func (m *member) instancePtr() *string {
	if m.instance == "" {
		return nil
	}
	return kmsg.StringPtr(m.instance)
}
