package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/listen"
)

const (
	// DefaultTopic is where Confluent's registry keeps its schemas too.
	DefaultTopic = "_schemas"

	clientID       = "schema-registry"
	metadataMinAge = 100 * time.Millisecond
	writeTimeout   = 30 * time.Second

	stopTimeout = time.Second
)

var errNotLoaded = errors.New("the registry is not loaded")

// Config says where the registry listens and keeps its schemas.
type Config struct {
	// Addr is the host:port to listen on; port 0 takes a free one. It is not
	// used when only Handler is served.
	Addr string
	// AddrSetting is the name of the flag or variable that sets Addr, for error
	// messages. May be empty.
	AddrSetting string
	// Brokers are the bootstrap addresses of the Kafka cluster.
	Brokers []string
	// KafkaOptions are added to those of every Kafka client. May be empty.
	KafkaOptions []kgo.Opt
	// Topic keeps the schemas; it is made when missing. Empty means DefaultTopic.
	Topic string
	// ClusterID is what GET /v1/metadata/id tells. Empty asks the Kafka cluster.
	ClusterID string
	// Shared says that the Kafka cluster is not this process' own, so that other
	// instances may use the topic. One of them at a time runs: the start of another
	// one waits for as long as one that was killed would keep it waiting, and fails.
	Shared bool
	// Patience is how long a start waits for another instance's end when Shared. 0
	// means 18 s, by when one that was killed is given up.
	Patience time.Duration
	// Now is the clock. Nil means the system's.
	Now func() time.Time
	// Logger gets warnings and errors. Nil means slog.Default.
	Logger *slog.Logger
}

// Validate reports what in the configuration can't work.
func (c Config) Validate() error {
	if len(c.Brokers) == 0 {
		return errors.New("the schema registry needs at least one Kafka broker")
	}
	return nil
}

// kafka are the options that every Kafka client has.
func (c Config) kafka() []kgo.Opt {
	return append([]kgo.Opt{kgo.SeedBrokers(c.Brokers...)}, c.KafkaOptions...)
}

// Registry is one registry. Its methods may be called from any goroutine.
type Registry struct {
	cfg Config

	startMu sync.Mutex     // held while starting and stopping
	server  *listen.Server // nil while not started

	mu    sync.RWMutex // guards what follows
	topic *topic       // nil while not loaded
	lease *lease       // nil when there can be no other instance
	state *state
	next  int64 // the offset after the last record in the state
	stale bool  // the state may not be what the topic says: read it again
	// looked is when the topic was last looked at for records of others; shared says
	// that there were some.
	looked time.Time
	shared bool
}

// New makes a registry that Start or Load brings up.
func New(cfg Config) (*Registry, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Topic == "" {
		cfg.Topic = DefaultTopic
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Patience == 0 {
		cfg.Patience = leasePatience
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Registry{cfg: cfg}, nil
}

// Load makes the topic when it is missing and reads it; Handler answers with
// errors before. A second load does nothing.
func (r *Registry) Load(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.topic != nil {
		return nil
	}
	t, err := openTopic(r.cfg)
	if err != nil {
		return err
	}
	s := newState()
	var next int64
	var held *lease
	err = t.create(ctx)
	if err == nil && r.cfg.Shared {
		held, err = takeLease(ctx, r.cfg)
	}
	if err == nil {
		next, err = t.read(ctx, 0, s.apply)
	}
	if err != nil {
		held.close()
		t.close()
		return fmt.Errorf("loading the schema registry: %w", err)
	}
	r.lease = held
	r.topic, r.state, r.next, r.stale, r.looked = t, s, next, false, r.cfg.Now()
	return nil
}

// Start loads the registry and begins to answer on the configured address. It
// returns when clients can connect. ctx bounds the start alone. A start while
// running does nothing.
func (r *Registry) Start(ctx context.Context) error {
	r.startMu.Lock()
	defer r.startMu.Unlock()
	if r.server != nil {
		return nil
	}
	server, err := listen.Bind(ctx, listen.Config{
		Name: "the Schema Registry", Addr: r.cfg.Addr, Setting: r.cfg.AddrSetting, Logger: r.cfg.Logger,
		BodyTimeout: bodyTimeout,
	})
	if err != nil {
		return err
	}
	if err := r.Load(ctx); err != nil {
		return errors.Join(err, server.Stop(0))
	}
	server.Start(r.Handler())
	r.server = server
	return nil
}

// Addr is the host:port that is listened on, empty while not started.
func (r *Registry) Addr() string {
	r.startMu.Lock()
	defer r.startMu.Unlock()
	if r.server == nil {
		return ""
	}
	return r.server.Addr()
}

// URL is the address with its scheme, empty while not started.
func (r *Registry) URL() string {
	r.startMu.Lock()
	defer r.startMu.Unlock()
	if r.server == nil {
		return ""
	}
	return r.server.URL()
}

// Stop waits a second for requests to end, then ends them. A stop while not running does nothing; a
// start after it brings the registry up again.
func (r *Registry) Stop() error {
	r.startMu.Lock()
	defer r.startMu.Unlock()
	var err error
	if r.server != nil {
		err = r.server.Stop(stopTimeout)
		r.server = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.topic != nil {
		r.lease.close()
		r.topic.close()
		r.topic, r.state, r.lease = nil, nil, nil
	}
	return err
}

// read calls f with the state, which f must not change. What f does not find may
// have been written by another instance a moment ago.
func (r *Registry) read(ctx context.Context, f func(*state) (any, error)) (any, error) {
	r.look(ctx, false)
	answer, err := r.readNow(f)
	if missing(err) {
		r.look(ctx, true)
		return r.readNow(f)
	}
	return answer, err
}

func (r *Registry) readNow(f func(*state) (any, error)) (any, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.state == nil {
		return nil, errStore(errNotLoaded)
	}
	return f(r.state)
}

// write has f decide which records to write, writes them and takes them into the
// state; then it gives f's answer. The state is f's to look at, not to change.
func (r *Registry) write(ctx context.Context, f func(*state) (any, []record, error)) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == nil {
		return nil, errStore(errNotLoaded)
	}
	// Once begun, a write goes on when the client goes away: half of it would be
	// neither done nor undone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := errors.Join(r.lease.check(), r.catchUp(ctx)); err != nil {
		return nil, errStore(err)
	}
	answer, records, err := f(r.state)
	if err != nil || len(records) == 0 {
		return answer, err
	}
	written, err := r.topic.write(ctx, records)
	if err != nil {
		r.stale = true
		return nil, errStore(err)
	}
	if last := written[len(written)-1].Offset; last != r.next+int64(len(written))-1 {
		// An id or a version may have been given twice: nobody can tell here which
		// one clients use by now.
		r.stale = true
		r.cfg.Logger.Error("schema registry: another instance wrote the schemas topic at the same moment: look for an id or a version that was given twice, and let one instance write alone", "topic", r.topic.name, "offset", last)
		return nil, errStore(fmt.Errorf("another registry wrote to topic %s at the same moment", r.topic.name))
	}
	r.next += int64(len(written))
	for _, raw := range written {
		if err := r.state.apply(raw.Key, raw.Value); err != nil {
			r.stale = true
			return nil, errStore(err)
		}
	}
	return answer, nil
}
