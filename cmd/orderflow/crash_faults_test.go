package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/verify"
)

// crashRound is what happens to the system while it works, drawn beforehand.
type crashRound struct {
	kill         bool
	killAfter    time.Duration // from the beginning of the disturbances on
	disturbances []disturbance
	mail         *rand.Rand // of an unreliable mail server; nil for a reliable one
	rubbish      *rand.Rand // sent to all ports; nil for none
	poison       *rand.Rand // written to topics; nil for none
}

// disturbance is something that is wrong for a while.
type disturbance struct {
	what  string
	begin func(*crashStack)
	lasts time.Duration
	end   func(*crashStack)
	// senders is how many instances of the e-mail service it keeps from their group.
	senders int
}

// roundsPerLong is one in how many rounds something lasts so long that members are
// expelled from their groups and requests time out.
const roundsPerLong = 15

// between draws a time.
func between(random *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(random.Int64N(int64(to-from)))
}

// drawRound draws what happens in a round, and whether it may take long.
func drawRound(random *rand.Rand, mayTakeLong bool) crashRound {
	var r crashRound
	source := func(oneIn int) *rand.Rand {
		seed, other := random.Uint64(), random.Uint64()
		if random.IntN(oneIn) > 0 {
			return nil
		}
		return rand.New(rand.NewPCG(seed, other))
	}
	r.mail, r.rubbish, r.poison = source(3), source(4), source(3)
	kind := random.IntN(10)
	r.kill = kind < 8
	if kind < 3 {
		return r
	}
	long := random.IntN(roundsPerLong) == 0 && mayTakeLong
	r.disturbances = append(r.disturbances, drawDisturbance(random, long))
	if random.IntN(4) == 0 {
		r.disturbances = append(r.disturbances, drawDisturbance(random, false))
	}
	r.killAfter = between(random, 0, 1500*time.Millisecond)
	return r
}

// drawDisturbance draws a process that stands still, or links that fail.
func drawDisturbance(random *rand.Rand, long bool) disturbance {
	lasts := between(random, 200*time.Millisecond, 2500*time.Millisecond)
	if long {
		lasts = between(random, 8*time.Second, 15*time.Second)
	}
	if random.IntN(3) == 0 {
		return drawPause(random, lasts)
	}
	links, senders := drawLinks(random)
	d := disturbance{lasts: lasts, senders: senders, what: "links " + strings.Join(links, ", ")}
	d.disturbLinks(random, links, long)
	return d
}

func (d *disturbance) disturbLinks(random *rand.Rand, links []string, long bool) {
	each := func(do func(*link)) func(*crashStack) {
		return func(s *crashStack) {
			for _, name := range links {
				do(s.links[name])
			}
		}
	}
	has := func(f linkFault) func(*crashStack) { return each(func(l *link) { l.disturb(f) }) }
	d.end = has(linkFault{})
	kind := random.IntN(5)
	if long {
		kind = 3 + random.IntN(3)
	}
	switch kind {
	case 0:
		d.what += " are cut at once"
		d.lasts, d.begin, d.end = 0, each((*link).cut), func(*crashStack) {}
	case 1:
		f := linkFault{latency: between(random, 50*time.Millisecond, 500*time.Millisecond)}
		d.what += fmt.Sprintf(" have a latency of %s", f.latency)
		d.begin = has(f)
	case 2:
		what, loses := drawLoss(random)
		d.what += " lose " + what
		d.begin = has(linkFault{loses: loses})
	case 5:
		d.what += " are forgotten"
		d.begin, d.end = each((*link).forget), func(*crashStack) {}
	default:
		hold := [][2]bool{{true, false}, {false, true}, {true, true}}[random.IntN(3)]
		d.what += fmt.Sprintf(" hold back (to server, to client) = %v", hold)
		d.begin = has(linkFault{hold: hold})
		if random.IntN(2) == 0 {
			d.what += " and drop it"
			heal := d.end
			d.end = func(s *crashStack) {
				each((*link).cut)(s)
				heal(s)
			}
		}
	}
}

// drawLoss draws whose answers are lost.
func drawLoss(random *rand.Rand) (what string, loses func(key int16) bool) {
	of := func(keys ...kmsg.Key) func(int16) bool {
		return func(key int16) bool { return key == noKey || slices.Contains(keys, kmsg.Key(key)) }
	}
	switch random.IntN(4) {
	case 0:
		return "answers about records", of(kmsg.Produce)
	case 1:
		return "answers about offsets", of(kmsg.OffsetCommit)
	case 2:
		return "answers about groups", of(kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.LeaveGroup, kmsg.OffsetFetch)
	default:
		return "answers", func(int16) bool { return true }
	}
}

// drawLinks draws links that fail together, and says how many instances of the e-mail
// service reach Kafka over them.
func drawLinks(random *rand.Rand) (links []string, senders int) {
	services := []string{"api", "inventory", "email"}
	of := func(service string) []string {
		var all []string
		for _, server := range linked[service] {
			all = append(all, service+" "+server)
		}
		return all
	}
	switch service := services[random.IntN(3)]; random.IntN(7) {
	case 0:
		links = []string{"api"}
	case 1:
		links = []string{"second-api"}
	case 2:
		links = []string{"kafka"}
	case 3:
		links = []string{"kafka", "api", "second-api"}
		for _, service := range services {
			links = append(links, of(service)...)
		}
	case 4:
		all := of(service)
		links = all[:1+random.IntN(len(all))]
	case 5:
		links = []string{service + " kafka"}
	default:
		links = of(service)
	}
	for _, name := range []string{"kafka", "email kafka"} {
		if slices.Contains(links, name) {
			senders++
		}
	}
	return links, senders
}

// drawPause draws a process that stands still.
func drawPause(random *rand.Rand, lasts time.Duration) disturbance {
	name := []string{"up", "api", "inventory", "email"}[random.IntN(4)]
	var p *process // the one of the beginning: another may have its name in the end
	return disturbance{
		what: name + " stands still", lasts: lasts, senders: map[string]int{"up": 2, "email": 1}[name],
		begin: func(s *crashStack) {
			p = s.named(name)
			p.standStill()
			s.pauses++
		},
		end: func(*crashStack) { p.goOn() },
	}
}

// suffer has a round happen, and returns when nothing is wrong any more.
func (s *crashStack) suffer(t *testing.T, r crashRound, random *rand.Rand) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var sending, disturbing sync.WaitGroup
	defer sending.Wait()
	defer disturbing.Wait()
	defer cancel()
	s.mail.unreliable(r.mail)
	if r.rubbish != nil {
		sending.Go(func() { sendRubbish(ctx, r.rubbish, s.listen) })
	}
	if r.poison != nil {
		sending.Go(func() { s.poisoned.Add(s.poison(t.Context(), r.poison)) })
	}
	stalls := make([]verify.Stall, len(r.disturbances))
	for i, d := range r.disturbances {
		t.Logf("for %s %s", d.lasts, d.what)
		stalls[i].From, stalls[i].Senders = time.Now(), d.senders
		d.begin(s)
		s.disturbed.Add(1)
		disturbing.Go(func() {
			waitFor(ctx, d.lasts)
			d.end(s)
			s.disturbed.Add(-1)
			stalls[i].To = time.Now()
		})
	}
	if r.kill {
		waitFor(ctx, r.killAfter)
		s.crash(t, random)
	}
	disturbing.Wait()
	s.stalls = append(s.stalls, stalls...)
	s.mail.unreliable(nil)
	cancel()
	sending.Wait()
	s.awaitReady(t)
}

func waitFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// crash kills some of the processes, or asks one to stop, and sometimes kills `up`
// again while it starts, and starts them again.
func (s *crashStack) crash(t *testing.T, random *rand.Rand) {
	t.Helper()
	all := []string{"api", "inventory", "email"}
	victims := []string{"up"}
	end := s.kill
	switch random.IntN(10) {
	case 3:
		end = s.terminate
	case 4:
		end = s.terminate
		victims = []string{all[random.IntN(3)]}
	case 0:
		victims = append(victims, all...)
	case 1:
		victims = []string{all[random.IntN(3)]}
	case 2:
		victims = append(victims, all[random.IntN(3)])
	}
	for _, name := range victims {
		end(t, name)
	}
	for _, name := range victims {
		if name != "up" {
			s.launchOther(t, name)
		}
	}
	if slices.Contains(victims, "up") {
		s.launchMain(t)
		for random.IntN(3) == 0 {
			after := time.NewTimer(time.Duration(random.IntN(1000)) * time.Millisecond)
			select {
			case <-after.C:
			case <-s.main.ready:
			case <-s.main.done:
				require.FailNow(t, "orderflow ended while it started", "%v\n%s", s.main.state, s.main.output())
			}
			s.kill(t, "up")
			s.launchMain(t)
		}
	}
	s.awaitReady(t)
}
