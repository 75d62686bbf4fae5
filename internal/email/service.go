package email

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/telemetry"
	"github.com/orderflow/orderflow/schemas"
)

const (
	defaultAttempts = 5
	defaultBackoff  = 500 * time.Millisecond
	longestBackoff  = 5 * time.Second
	// maxBatch bounds how many e-mails are sent before their offsets are committed.
	maxBatch = 50
)

// DefaultGroup is the consumer group of the service's instances.
const DefaultGroup = "orderflow-email"

// Config says what the service works with.
type Config struct {
	// Kafka says which brokers and which Schema Registry to use.
	Kafka kafka.Config
	// Sender delivers the e-mails. Nil means a LogSender. One that is an io.Closer is
	// closed when Run ends.
	Sender Sender
	// Templates make the e-mails. Nil means the built-in ones.
	Templates *Templates
	// Attempts is how often an e-mail that is refused for the moment is tried before it
	// becomes a dead letter. 0 means 5.
	Attempts int
	// Backoff is the pause after the first attempt; each further one is twice as long,
	// up to 5 seconds. 0 means 500 ms.
	Backoff time.Duration
	// Group is the consumer group. Empty means DefaultGroup.
	Group string
	// Health gets the service's readiness check. Nil means one of its own.
	Health *telemetry.Health
	// Metrics gets the service's metrics. Nil means one of its own.
	Metrics prometheus.Registerer
	// Tracing makes the spans of orders. Nil makes none.
	Tracing *telemetry.Tracing
	// Logger gets the service's log. Nil means none.
	Logger *slog.Logger
}

// Service is one instance of the e-mail service.
type Service struct {
	cfg      Config
	log      *slog.Logger
	registry *kafka.Registry
	decoder  *kafka.EntryDecoder // of the ledger's entries
	ready    atomic.Bool

	sent, repeated, failed, dead, unknownCustomer prometheus.Counter
	skipped                                       *prometheus.CounterVec // by topic
	delivery, delay                               prometheus.Histogram

	skips *kafka.Skips
	// halted is why the service stands still until somebody does something; nil when it does not.
	halted atomic.Pointer[error]
}

// New prepares a service; it connects when Run is called.
func New(cfg Config) (*Service, error) {
	if cfg.Group == "" {
		cfg.Group = DefaultGroup
	}
	if cfg.Health == nil {
		cfg.Health = &telemetry.Health{}
	}
	if cfg.Metrics == nil {
		cfg.Metrics = prometheus.NewRegistry()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Sender == nil {
		cfg.Sender = LogSender{Logger: cfg.Logger}
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = defaultAttempts
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = defaultBackoff
	}
	if cfg.Templates == nil {
		var err error
		if cfg.Templates, err = LoadTemplates(""); err != nil {
			return nil, err
		}
	}
	if err := cfg.Kafka.Validate(); err != nil {
		return nil, fmt.Errorf("setting up the e-mail service: %w", err)
	}
	registry, err := kafka.NewRegistry(cfg.Kafka)
	if err != nil {
		return nil, fmt.Errorf("setting up the e-mail service: %w", err)
	}
	decoder, err := newEntryDecoder(registry)
	if err != nil {
		return nil, fmt.Errorf("setting up the e-mail service: %w", err)
	}
	counter := func(name, help string) prometheus.Counter {
		return promauto.With(cfg.Metrics).NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	s := &Service{
		cfg: cfg, log: cfg.Logger, registry: registry, decoder: decoder,
		sent:     counter("orderflow_emails_sent_total", "E-mails handed to the sender."),
		repeated: counter("orderflow_emails_repeated_total", "Records about e-mails that had been sent before."),
		failed:   counter("orderflow_emails_failed_total", "Attempts to send an e-mail that failed."),
		dead:     counter("orderflow_emails_dead_letters_total", "E-mails that were given up and noted in "+order.TopicEmailDeadLetters+"."),

		unknownCustomer: counter("orderflow_orders_unknown_customer_total", "New orders of customers who were unknown at that moment: they get no e-mail and no level."),
	}
	s.skipped = promauto.With(cfg.Metrics).NewCounterVec(prometheus.CounterOpts{
		Name: "orderflow_emails_records_skipped_total",
		Help: "Records that make no sense and were passed over: input that cannot become an e-mail, and what no version wrote to the e-mail ledger. The ledger's are counted each time that they are read.",
	}, []string{"topic"})
	// Rates need the series from the start.
	for _, topic := range append([]string{order.TopicEmailLedger}, inputTopics...) {
		s.skipped.WithLabelValues(topic)
	}
	s.skips = kafka.NewSkips(cfg.Logger, func(topic string) { s.skipped.WithLabelValues(topic).Inc() })
	s.delivery = promauto.With(cfg.Metrics).NewHistogram(prometheus.HistogramOpts{
		Name:    "orderflow_email_delivery_duration_seconds",
		Help:    "Time that the sender took for an e-mail, repeated attempts included.",
		Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	})
	s.delay = promauto.With(cfg.Metrics).NewHistogram(prometheus.HistogramOpts{
		Name:    "orderflow_email_delay_seconds",
		Help:    "Time from the later one of order and payment until their e-mail was handed to the sender.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800},
	})
	cfg.Health.Add("email", func() error {
		if why := s.halted.Load(); why != nil {
			return fmt.Errorf("the e-mail service stands still: %w", *why)
		}
		if !s.Ready() {
			return errors.New("the e-mail service has not taken over its partitions")
		}
		return nil
	})
	return s, nil
}

// Ready reports whether the service has its partitions and knows what was sent.
func (s *Service) Ready() bool { return s.ready.Load() }

// Run works until ctx ends, and finishes what it has begun. When a server is away, a
// topic does not exist yet or an e-mail cannot be sent, it tries again, and so it does, more
// seldom, when the ledger has an entry that it does not understand.
func (s *Service) Run(ctx context.Context) error {
	kafka.Keep(ctx, s.log, "the e-mail service", func(ctx context.Context, progress func()) error {
		defer s.ready.Store(false)
		err := s.work(ctx, progress)
		if kafka.Lasting(err) {
			s.halted.Store(&err)
		}
		return err
	})
	if closer, ok := s.cfg.Sender.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

var inputTopics = []string{order.TopicEmails, order.TopicOrdersEnriched}

// worker is one membership in the consumer group. One goroutine uses it.
type worker struct {
	*Service
	client Producer
	group  Membership
	sender Sender
	ledger interface {
		CatchUp(ctx context.Context) error
	}
	known    map[key]struct{} // the e-mails that are in the ledger
	entries  *kafka.Encoder
	letters  *kafka.Encoder // of dead letters
	progress func()
	stopping <-chan struct{} // closed when the service is to end
}

// entry is a value of email-ledger.v1.
type entry struct {
	OrderID         string `avro:"orderId"`
	PaymentID       string `avro:"paymentId"`
	MessageID       string `avro:"messageId"`
	Recipient       string `avro:"recipient"`
	SourceTopic     string `avro:"sourceTopic"`
	SourcePartition int32  `avro:"sourcePartition"`
	SourceOffset    int64  `avro:"sourceOffset"`
}

func (s *Service) work(ctx context.Context, progress func()) error {
	w := &worker{Service: s, sender: s.cfg.Sender, known: map[key]struct{}{}, progress: progress, stopping: ctx.Done()}
	var err error
	if w.entries, err = s.registry.Encoder(ctx, order.ValueSubject(order.TopicEmailLedger)); err != nil {
		return err
	}
	if w.letters, err = s.registry.Encoder(ctx, order.ValueSubject(order.TopicEmailDeadLetters)); err != nil {
		return err
	}
	follower, err := kafka.NewFollower(s.cfg.Kafka, order.TopicEmailLedger, w.learn)
	if err != nil {
		return err
	}
	defer follower.Close()
	w.ledger = follower
	group, err := kafka.NewGroup(s.cfg.Kafka, kafka.GroupConfig{
		Group:      s.cfg.Group,
		Topics:     inputTopics,
		Assigned:   w.takeOver,
		Handle:     w.batch,
		MaxRecords: maxBatch,
	})
	if err != nil {
		return err
	}
	defer group.Close()
	w.group, w.client = group, group.Client()
	if _, err := group.CheckTopics(ctx, append([]string{order.TopicEmailDeadLetters}, inputTopics...)...); err != nil {
		return err
	}
	if err := follower.AddAll(ctx); err != nil {
		return err
	}
	return group.Run(ctx)
}

// takeOver reads what the former owners of the partitions have sent. One customer's
// e-mails are all in one partition, so nobody else sends them from now on.
func (w *worker) takeOver(ctx context.Context, partitions []int32) error {
	if err := w.ledger.CatchUp(ctx); err != nil {
		return err
	}
	w.log.Info("took over e-mails", "partitions", partitions)
	w.ready.Store(true)
	w.halted.Store(nil)
	w.progress()
	return nil
}

// newEntryDecoder returns a decoder of the e-mail ledger's entries.
func newEntryDecoder(registry *kafka.Registry) (*kafka.EntryDecoder, error) {
	file := order.ValueSubject(order.TopicEmailLedger) + ".avsc"
	text, err := schemas.Files.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the schema %s: %w", file, err)
	}
	return registry.EntryDecoder(text)
}

// learn takes a record of the ledger. What no version of this service can have written is
// no e-mail that was sent; behind anything else that it can't read it must not go on.
func (w *worker) learn(rec *kgo.Record) error {
	var e entry
	// Only fetching a schema takes time here, and that has a time limit of its own.
	err := w.decoder.Decode(context.Background(), rec.Value, &e)
	if errors.Is(err, kafka.ErrForeign) {
		w.skips.Skip(rec, err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("decoding an entry of the e-mail ledger: %w", err)
	}
	w.known[keyOf(e.OrderID, e.PaymentID)] = struct{}{}
	return nil
}

// errStopping ends a batch between two e-mails: those that were sent are in the ledger.
var errStopping = errors.New("the service is stopping")

func (w *worker) batch(ctx context.Context, records []*kgo.Record) error {
	for _, rec := range records {
		select {
		case <-w.stopping:
			return errStopping
		default:
		}
		var err error
		if rec.Topic == order.TopicOrdersEnriched {
			err = w.enriched(ctx, rec)
		} else {
			err = w.mail(ctx, rec)
		}
		switch {
		case errors.Is(err, errUnreadable):
			w.skips.Skip(rec, err)
		case err != nil:
			return fmt.Errorf("working on %s partition %d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
		}
	}
	return nil
}

// enrichedOrder is what is read of a value of orders-enriched.v1 as ksqlDB writes it.
type enrichedOrder struct {
	ID    *string `avro:"ID"`
	Level *string `avro:"LEVEL"`
}

// enriched counts an order whose customer was not known.
func (w *worker) enriched(ctx context.Context, rec *kgo.Record) error {
	var o enrichedOrder
	if err := decode(ctx, w.registry, rec.Value, &o); err != nil {
		return err
	}
	if o.Level == nil {
		w.unknownCustomer.Inc()
		w.log.Warn("an order's customer is not known: it gets no e-mail and no level", "order", value(o.ID))
	}
	return nil
}

// mail sends what a record of emails.v1 says, unless that was done before. What cannot
// be sent becomes a dead letter.
func (w *worker) mail(ctx context.Context, rec *kgo.Record) (err error) {
	e, err := compose(ctx, w.registry, w.cfg.Templates, rec.Value)
	if errors.Is(err, errUnreadable) {
		w.skips.Skip(rec, err)
		return w.bury(ctx, rec, e, 0, err)
	}
	if err != nil {
		return err
	}
	k := keyOf(e.OrderID, e.PaymentID)
	if _, ok := w.known[k]; ok {
		w.repeated.Inc()
		return nil
	}
	ctx, span := w.cfg.Tracing.Order(ctx, e.OrderID, "e-mail sent", time.Time{})
	defer func() { span.End(err) }()
	began := time.Now()
	attempts, err := w.send(ctx, e)
	var refused *RefusedError
	if errors.As(err, &refused) {
		return w.bury(ctx, rec, e, attempts, err)
	}
	if err != nil {
		return fmt.Errorf("sending e-mail %s about order %s: %w", e.MessageID, e.OrderID, err)
	}
	w.sent.Inc()
	w.delivery.Observe(time.Since(began).Seconds())
	w.delay.Observe(time.Since(rec.Timestamp).Seconds())
	value, err := w.entries.Encode(entry{
		OrderID: e.OrderID, PaymentID: e.PaymentID, MessageID: e.MessageID, Recipient: e.To,
		SourceTopic: rec.Topic, SourcePartition: rec.Partition, SourceOffset: rec.Offset,
	})
	if err != nil {
		return err
	}
	if err := w.write(ctx, order.TopicEmailLedger, e.OrderID, value); err != nil {
		return err
	}
	w.known[k] = struct{}{}
	return nil
}

func (w *worker) write(ctx context.Context, topic, key string, value []byte) error {
	out := &kgo.Record{Topic: topic, Key: []byte(key), Value: value}
	if err := w.client.ProduceSync(ctx, out).FirstErr(); err != nil {
		return fmt.Errorf("writing to %s: %w", topic, err)
	}
	return nil
}
