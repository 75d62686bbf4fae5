package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
)

// The two directions of a link.
const (
	toServer = 0
	toClient = 1
)

// linkFault is what a link does to what passes. The zero value passes everything on.
type linkFault struct {
	// hold keeps back what goes in a direction until that ends, as a network does that
	// is cut: it delivers late, and nobody is told before.
	hold [2]bool
	// latency is how long everything takes in each direction.
	latency time.Duration
	// loses tells the answers in whose place the connection is cut, by the key of the
	// request in Kafka's protocol, noKey elsewhere. Nil loses none.
	loses func(key int16) bool
}

// noKey stands for the answers of protocols other than Kafka's.
const noKey = -1

// link is a way to a server that a test can disturb: it takes connections and makes
// one to the server for each. One to Kafka names itself as the broker's address, so
// that its clients stay on it.
type link struct {
	target   string
	kafka    bool
	listener net.Listener
	wg       sync.WaitGroup

	lost atomic.Int64 // answers in whose place a connection was cut
	cuts atomic.Int64 // connections that were cut

	mu      sync.Mutex
	fault   linkFault
	changed chan struct{} // closed when the fault is another
	pairs   map[*pair]struct{}
	closed  bool
}

func newLink(t *testing.T, target string, kafka bool) *link {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &link{target: target, kafka: kafka, listener: ln, changed: make(chan struct{}), pairs: map[*pair]struct{}{}}
	l.wg.Go(l.serve)
	t.Cleanup(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		_ = ln.Close()
		l.cut()
		l.wg.Wait()
	})
	return l
}

func (l *link) address() string { return l.listener.Addr().String() }

// disturb has a fault from now on, in place of the one before.
func (l *link) disturb(f linkFault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
	close(l.changed)
	l.changed = make(chan struct{})
}

// present returns the fault, and what is closed when it ends.
func (l *link) present() (linkFault, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault, l.changed
}

// cut resets every connection.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.pairs {
		p.reset()
		l.cuts.Add(1)
	}
}

// forget keeps everything back on the present connections until a side gives its own
// up: as a router does that has lost its table. New ones are as before.
func (l *link) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.pairs {
		p.forgotten.Do(func() { close(p.lost) })
		l.cuts.Add(1)
	}
}

func (l *link) serve() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		l.wg.Go(func() { l.connect(client.(*net.TCPConn)) })
	}
}

// pair is a connection of a client and the one to the server that stands for it.
type pair struct {
	link   *link
	ends   [2]*net.TCPConn // the server's and the client's
	closed chan struct{}
	once   sync.Once

	forgotten sync.Once
	lost      chan struct{} // closed when nothing passes any more

	mu    sync.Mutex
	asked []kafkaRequest // those that are not answered yet, in order
}

type kafkaRequest struct {
	key, version int16
}

func (l *link) connect(client *net.TCPConn) {
	p := &pair{link: l, closed: make(chan struct{}), lost: make(chan struct{})}
	server, err := net.DialTimeout("tcp", l.target, 5*time.Second)
	if err != nil {
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	p.ends = [2]*net.TCPConn{server.(*net.TCPConn), client}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		p.reset()
		return
	}
	l.pairs[p] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.pairs, p)
		l.mu.Unlock()
		p.close()
	}()
	var both sync.WaitGroup
	both.Go(func() {
		p.pump(toServer)
		_ = p.ends[0].CloseWrite() // what was asked may still be answered
	})
	both.Go(func() {
		p.pump(toClient)
		p.close()
	})
	both.Wait()
}

func (p *pair) close() {
	p.once.Do(func() {
		close(p.closed)
		for _, end := range p.ends {
			_ = end.Close()
		}
	})
}

// reset ends both connections at once and drops what is under way.
func (p *pair) reset() {
	p.once.Do(func() {
		close(p.closed)
		for _, end := range p.ends {
			_ = end.SetLinger(0)
			_ = end.Close()
		}
	})
}

// pump passes on what comes in a direction until it ends.
func (p *pair) pump(direction int) {
	from, to := bufio.NewReaderSize(p.ends[1-direction], 64<<10), p.ends[direction]
	for {
		chunk, key, err := p.next(from, direction)
		if err != nil || !p.let(direction, key) {
			return
		}
		if _, err := to.Write(chunk); err != nil {
			p.close()
			return
		}
	}
}

// next reads what can be passed on: a message of Kafka's protocol as a whole.
func (p *pair) next(from *bufio.Reader, direction int) (chunk []byte, key int16, err error) {
	if !p.link.kafka {
		if _, err := from.Peek(1); err != nil {
			return nil, noKey, err
		}
		chunk = make([]byte, from.Buffered())
		_, err := io.ReadFull(from, chunk)
		return chunk, noKey, err
	}
	if chunk, err = readFrame(from); err != nil {
		return nil, 0, err
	}
	if direction == toServer {
		r := kafkaRequest{int16(binary.BigEndian.Uint16(chunk[4:])), int16(binary.BigEndian.Uint16(chunk[6:]))}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asked = append(p.asked, r)
		return chunk, r.key, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) == 0 {
		return nil, 0, fmt.Errorf("an answer came to no request")
	}
	r := p.asked[0]
	p.asked = p.asked[1:]
	chunk, err = readdress(chunk, r, p.link.address())
	return chunk, r.key, err
}

// largestFrame bounds the messages of Kafka's protocol that a link passes on, in bytes.
const largestFrame = 100 << 20

// readFrame reads a message of Kafka's protocol, its length included.
func readFrame(from io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(from, size[:]); err != nil {
		return nil, err
	}
	n := int32(binary.BigEndian.Uint32(size[:]))
	if n < 4 || n > largestFrame {
		return nil, fmt.Errorf("a message has %d bytes", n)
	}
	frame := append(size[:], make([]byte, n)...)
	_, err := io.ReadFull(from, frame[4:])
	return frame, err
}

// let waits until something may pass, and reports whether it may at all.
func (p *pair) let(direction int, key int16) bool {
	delayed := false
	for {
		fault, changed := p.link.present()
		select {
		case <-p.lost:
			<-p.closed
		default:
		}
		switch {
		case fault.hold[direction]:
			select {
			case <-changed:
			case <-p.lost:
			case <-p.closed:
				return false
			}
			continue
		case fault.latency > 0 && !delayed:
			timer := time.NewTimer(fault.latency)
			select {
			case <-timer.C:
			case <-p.closed:
				timer.Stop()
				return false
			}
			delayed = true
			continue
		case direction == toClient && fault.loses != nil && fault.loses(key):
			p.link.lost.Add(1)
			p.reset()
		}
		select {
		case <-p.closed:
			return false
		default:
			return true
		}
	}
}

// readdress puts an address in place of the broker's into the answers that name it.
func readdress(frame []byte, asked kafkaRequest, address string) ([]byte, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, err
	}
	port := int32(n)
	var resp kmsg.Response
	switch kmsg.Key(asked.key) {
	case kmsg.Metadata, kmsg.FindCoordinator, kmsg.DescribeCluster:
		resp = kmsg.ResponseForKey(asked.key)
	default:
		return frame, nil
	}
	resp.SetVersion(asked.version)
	header := frame[:8] // length and correlation id
	body := kbin.Reader{Src: frame[8:]}
	if resp.IsFlexible() {
		kmsg.SkipTags(&body)
		header = append(header[:8:8], 0)
	}
	if err := resp.ReadFrom(body.Src); err != nil {
		return nil, fmt.Errorf("reading an answer to request %d: %w", asked.key, err)
	}
	switch resp := resp.(type) {
	case *kmsg.MetadataResponse:
		for i := range resp.Brokers {
			resp.Brokers[i].Host, resp.Brokers[i].Port = host, port
		}
	case *kmsg.FindCoordinatorResponse:
		if resp.Port > 0 {
			resp.Host, resp.Port = host, port
		}
		for i := range resp.Coordinators {
			if resp.Coordinators[i].Port > 0 {
				resp.Coordinators[i].Host, resp.Coordinators[i].Port = host, port
			}
		}
	case *kmsg.DescribeClusterResponse:
		for i := range resp.Brokers {
			resp.Brokers[i].Host, resp.Brokers[i].Port = host, port
		}
	}
	out := resp.AppendTo(append([]byte(nil), header...))
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out, nil
}

func TestLinksDisturbWhatPasses(t *testing.T) {
	cfg := kafkatest.Start(t, 1, []string{"things"}, nil)
	l := newLink(t, cfg.Brokers[0], true)
	client, err := kgo.NewClient(kgo.SeedBrokers(l.address()), kgo.DefaultProduceTopic("things"))
	require.NoError(t, err)
	defer client.Close()
	write := func(text string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return client.ProduceSync(ctx, kgo.StringRecord(text)).FirstErr()
	}
	require.NoError(t, write("a"))
	brokers, err := kadm.NewClient(client).ListBrokers(t.Context())
	require.NoError(t, err)
	require.Equal(t, l.address(), net.JoinHostPort(brokers[0].Host, strconv.Itoa(int(brokers[0].Port))), "clients stay on the link")

	l.cut()
	require.NoError(t, write("b"))
	require.Positive(t, l.cuts.Load())

	l.disturb(linkFault{loses: func(key int16) bool { return key == int16(kmsg.Produce) && l.lost.Load() == 0 }})
	require.NoError(t, write("c"), "it is written once more when the answer is lost")
	require.Equal(t, int64(1), l.lost.Load())

	for _, direction := range []int{toServer, toClient} {
		var f linkFault
		f.hold[direction] = true
		l.disturb(f)
		written := make(chan error, 1)
		go func() { written <- write("d") }()
		select {
		case <-written:
			require.Fail(t, "nothing passes")
		case <-time.After(100 * time.Millisecond):
		}
		l.disturb(linkFault{})
		require.NoError(t, <-written)
	}
	l.disturb(linkFault{latency: 50 * time.Millisecond})
	began := time.Now()
	require.NoError(t, write("e"))
	require.GreaterOrEqual(t, time.Since(began), 100*time.Millisecond, "there and back")
	l.disturb(linkFault{})

	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), "things")
	require.NoError(t, err)
	end, _ := ends.Lookup("things", 0)
	require.Equal(t, int64(6), end.Offset, "each record is there once")
}
