package runtime

import (
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// producer has the Kafka client that tasks write with. What a client remembers of
// topics is dropped with the client: one that only forgets a topic numbers what it
// writes there from 0 again, under the same producer id, so that a broker which has
// the numbers already takes new records for old ones and acknowledges them unwritten.
type producer struct {
	options []kgo.Opt

	mu      sync.Mutex
	current *writer // nil until somebody writes
	live    map[*writer]bool
	closed  bool
	closing sync.WaitGroup
}

// writer is a client and those that write with it.
type writer struct {
	*kgo.Client
	users int
}

// acquire gives a client, until release.
func (p *producer) acquire() (*writer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.New("writing: the engine is stopping")
	}
	if p.current == nil {
		client, err := kgo.NewClient(p.options...)
		if err != nil {
			return nil, err
		}
		p.current = &writer{Client: client}
		if p.live == nil {
			p.live = map[*writer]bool{}
		}
		p.live[p.current] = true
	}
	p.current.users++
	return p.current, nil
}

func (p *producer) release(w *writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.users--; w.users == 0 && w != p.current {
		p.end(w)
	}
}

// renew lets those that write from now on have a new client.
func (p *producer) renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.current
	if p.current = nil; w != nil && w.users == 0 {
		p.end(w)
	}
}

// end closes a client, once. The caller holds mu.
func (p *producer) end(w *writer) {
	if p.live[w] {
		delete(p.live, w)
		p.closing.Go(w.Close)
	}
}

// close gives up what is under way, and waits for the clients' ends.
func (p *producer) close() {
	p.mu.Lock()
	p.closed = true
	for w := range p.live {
		p.end(w)
	}
	p.mu.Unlock()
	p.closing.Wait()
}
