// Package api is the REST face of orderflow: orders, payments, stock and the fraud
// listing.
//
// It writes orders.v1, payments.v1, shipments.v1 and warehouse-inventory.v1, and answers from
// ksqlDB: pull queries over the tables of orders, payments and customers, one push
// query that wakes those who wait for an order, and one that feeds the fraud view. The
// history of an order and the stream of orders are read from the topics themselves; lists
// of orders come from Elasticsearch.
//
// Invariants:
//   - A document that breaks the contract never reaches a topic (see order.DecodeOrder).
//   - 201 is answered only after the broker has acknowledged the record.
//   - On one instance two requests for the same id never write at the same time.
//   - An order that any instance acknowledged is never answered as unknown (see arrivals).
//   - A waiter is registered before the order is looked up, and everything waited for
//     is looked up again at every connect of the push query and once a second: no
//     wake-up can be lost.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/orderflow/orderflow/internal/credentials"
	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/listen"
	"github.com/orderflow/orderflow/internal/search"
	"github.com/orderflow/orderflow/internal/telemetry"
)

// Config says where the service listens and whom it talks to.
type Config struct {
	// Listen is the "host:port" of everything.
	Listen string
	// FraudListen is the "host:port" of a second listener for GET /fraud. Empty: none.
	FraudListen string
	// TLS makes both addresses speak TLS only, when it names files.
	TLS listen.TLS
	// Credentials are those that clients need, for everything but /livez and
	// /readyz; nil lets everybody in.
	Credentials *credentials.Store
	// Kafka says which brokers and which Schema Registry to use.
	Kafka kafka.Config
	// Ksql says which ksqlDB to use.
	Ksql ksql.Config
	// Elasticsearch is the URL of the Elasticsearch in which orders are searched. Empty:
	// they cannot be searched.
	Elasticsearch string
	// ElasticsearchTransport sends the requests to it. Nil means
	// http.DefaultTransport.
	ElasticsearchTransport http.RoundTripper
	// SnapshotDir is the directory of the stock ledger's snapshots, which bound how much of
	// it is read at the start. Empty: all is read.
	SnapshotDir string
	// Limits bound what is taken on at the same time.
	Limits Limits
	// Health gets the service's readiness checks, and is what /readyz answers from.
	// Nil means one of its own.
	Health *telemetry.Health
	// Metrics gets the service's metrics, and is what /metrics shows. Nil means one of its own.
	Metrics *prometheus.Registry
	// Tracing makes the spans of requests and orders. Nil makes none.
	Tracing *telemetry.Tracing
	// Logger gets the service's log. Nil means none.
	Logger *slog.Logger
	// ShutdownTimeout bounds a graceful stop. 0 means 10 seconds.
	ShutdownTimeout time.Duration
}

func (c *Config) setDefaults() {
	c.Limits.setDefaults()
	if c.Health == nil {
		c.Health = &telemetry.Health{}
	}
	if c.Metrics == nil {
		c.Metrics = telemetry.NewRegistry()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.ShutdownTimeout == 0 {
		c.ShutdownTimeout = 10 * time.Second
	}
}

// Validate reports what cannot work.
func (c *Config) Validate() error {
	var errs []error
	if c.Listen == "" {
		errs = append(errs, errors.New("the API has no address to listen on"))
	}
	if c.Kafka.SchemaRegistry == "" {
		errs = append(errs, errors.New("the API has no Schema Registry address"))
	}
	return errors.Join(append(errs, c.Kafka.Validate(), c.Ksql.Validate())...)
}

// Service is one instance of the API.
type Service struct {
	cfg       Config
	servers   []*listen.Server // the API's, then the one for /fraud
	ksql      *ksql.Client
	publisher *kafkaPublisher
	stockView *ledger.View
	orderFeed *feed
	fraudFeed *feed
	arrivals  *arrivalsFeed
	handlers  *handlers

	closeOnce sync.Once
}

// New opens the addresses of the service, so that a port in use is reported at
// once, and prepares its clients. They connect when Run is called. Whoever does not
// call Run calls Close.
func New(cfg Config) (_ *Service, err error) {
	cfg.setDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("setting up the API: %w", err)
	}
	s := &Service{cfg: cfg}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for _, l := range []struct{ addr, flag string }{{cfg.Listen, "--api-listen"}, {cfg.FraudListen, "--fraud-listen"}} {
		if l.addr == "" {
			continue
		}
		server, err := listen.Bind(context.Background(), listen.Config{
			Name: "the API", Addr: l.addr, Setting: l.flag, TLS: cfg.TLS,
			Guard:       listen.Guard{Credentials: cfg.Credentials, Open: isProbe, Refuse: refuse},
			BodyTimeout: bodyTimeout, EndRequests: true, Logger: cfg.Logger,
		})
		if err != nil {
			return nil, err
		}
		s.servers = append(s.servers, server)
	}
	if s.ksql, err = ksql.New(cfg.Ksql); err != nil {
		return nil, fmt.Errorf("setting up the API: %w", err)
	}
	if s.publisher, err = newKafkaPublisher(cfg.Kafka); err != nil {
		return nil, fmt.Errorf("setting up the API: %w", err)
	}
	skips := newSkips(cfg.Metrics, cfg.Logger)
	s.stockView, err = ledger.NewView(ledger.ViewConfig{Kafka: cfg.Kafka, SnapshotDir: cfg.SnapshotDir, Skips: skips, Logger: cfg.Logger})
	if err != nil {
		return nil, fmt.Errorf("setting up the API: %w", err)
	}
	history, err := newKafkaHistory(cfg.Kafka, s.publisher.registry, skips)
	if err != nil {
		return nil, fmt.Errorf("setting up the API: %w", err)
	}
	tail := newTail(cfg.Kafka, s.publisher.registry, cfg.Logger)
	tail.skips = skips
	var orders Search
	if cfg.Elasticsearch != "" {
		if orders, err = search.New(search.Config{URL: cfg.Elasticsearch, Transport: cfg.ElasticsearchTransport}); err != nil {
			return nil, fmt.Errorf("setting up the API: %w", err)
		}
	}
	queries := ksqlQueries{s.ksql}
	s.arrivals = &arrivalsFeed{
		arrivals: newArrivals(s.publisher.registry.Decode, s.publisher.orderEnd, skips, cfg.Logger),
		cfg:      cfg.Kafka,
		table:    func(ctx context.Context) (map[int32]int64, error) { return tableOffsets(ctx, s.ksql) },
	}
	s.handlers = newHandlers(cfg, ksqlStore{queries}, s.publisher, s.stockView,
		history, tail, s.arrivals.arrivals, orders)
	if s.orderFeed, err = s.handlers.watch.feed(queries, skips, cfg.Logger); err != nil {
		return nil, err
	}
	if s.fraudFeed, err = s.handlers.fraud.feed(queries, cfg.Logger); err != nil {
		return nil, err
	}
	cfg.Health.Add("api", s.readiness)
	return s, nil
}

// Addr returns the address on which the API listens.
func (s *Service) Addr() string { return s.servers[0].Addr() }

// URL returns the address with its scheme.
func (s *Service) URL() string { return s.servers[0].URL() }

// FraudAddr returns the address of the second listener for GET /fraud, "" when there is none.
func (s *Service) FraudAddr() string {
	if len(s.servers) < 2 {
		return ""
	}
	return s.servers[1].Addr()
}

// Run serves until ctx ends, then lets running requests finish. It may be called once.
func (s *Service) Run(ctx context.Context) error {
	defer s.Close()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return s.servers[0].Run(ctx, s.handlers.router(), s.cfg.ShutdownTimeout)
	})
	if len(s.servers) > 1 {
		g.Go(func() error {
			return s.servers[1].Run(ctx, s.handlers.fraudRouter(), s.cfg.ShutdownTimeout)
		})
	}
	g.Go(func() error { s.publisher.prepare(ctx, s.cfg.Logger); return nil })
	g.Go(func() error { return s.stockView.Run(ctx) })
	g.Go(func() error { s.orderFeed.run(ctx); return nil })
	g.Go(func() error { s.fraudFeed.run(ctx); return nil })
	g.Go(func() error { s.handlers.tail.run(ctx); return nil })
	g.Go(func() error { s.arrivals.run(ctx); return nil })
	g.Go(func() error { s.handlers.stages.run(ctx, s.cfg.Kafka); return nil })
	g.Go(func() error { s.handlers.watch.repull(ctx, s.handlers.store); return nil })
	if err := g.Wait(); err != nil {
		return fmt.Errorf("running the API: %w", err)
	}
	return nil
}

// Close releases what New opened. Run does it by itself.
func (s *Service) Close() {
	s.closeOnce.Do(func() {
		for _, server := range s.servers {
			_ = server.Stop(0) // its error was reported by the stop that Run made
		}
		if s.publisher != nil {
			s.publisher.close()
		}
		if s.ksql != nil {
			s.ksql.Close()
		}
	})
}

// Ready reports whether orders can be taken and waited for.
func (s *Service) Ready() bool { return s.readiness() == nil }

func (s *Service) readiness() error {
	switch {
	case !s.publisher.ready():
		return fmt.Errorf("waiting for the schemas of %s", strings.Join(avroTopics, ", "))
	case !s.orderFeed.connected():
		return errors.New("waiting for ksqlDB's stream of orders")
	case !s.fraudFeed.connected():
		return errors.New("waiting for ksqlDB's fraud listing")
	case !s.arrivals.arrivals.ready():
		return errors.New("reading the orders that ksqlDB's table may not have yet")
	case s.stockView.Halted() != nil:
		return fmt.Errorf("the view of the stock stands still: %w", s.stockView.Halted())
	case !s.stockView.Ready():
		return errors.New("reading the stock ledger")
	}
	return nil
}
