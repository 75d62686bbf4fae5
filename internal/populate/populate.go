// Package populate fills a running orderflow with stock, orders and payments through
// its REST API, as clients would.
//
// Invariants: what is posted depends on the configuration and its seed alone, so a
// run can be repeated; posting the same again changes nothing. The package talks to
// the API and to nothing else.
package populate

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderflow/orderflow/internal/order"
)

// Config says what to post.
type Config struct {
	// API is the URL of the orders API.
	API string
	// Seed decides what is posted. 0 means a random one, which Summary tells.
	Seed uint64
	// Prefix starts the ids of the orders. Empty means "demo".
	Prefix string
	// Orders is how many items are posted. 0 means: go on until the context ends.
	Orders int
	// Rate is how many items are begun per second. 0 means: as fast as possible.
	Rate float64
	// Workers is how many items are worked on at once. 0 means 32.
	Workers int
	// Customers and FirstCustomer say whose orders these are: the customers with the
	// ids FirstCustomer to FirstCustomer+Customers-1. 0 customers means 10, from 1.
	Customers     int64
	FirstCustomer int64
	// BadShare is the share of items, from 0 to 1, that are refused or fail a check.
	BadShare float64
	// BurstShare is the chance, from 0 to 1, that a customer now places five orders in a row.
	BurstShare float64
	// PaidShare is the share of good orders, from 0 to 1, that are paid.
	PaidShare float64
	// LateShare is the share of payments, from 0 to 1, that come LateBy after their order.
	// A run waits for them. LateBy 0 means 70 s, later than a payment is joined with its order.
	LateShare float64
	LateBy    time.Duration
	// ShipShare is the share of validated orders, from 0 to 1, that are shipped.
	ShipShare float64
	// Stock is how many units of each product are put into the warehouse first. Less
	// than 0 leaves the stock alone.
	Stock int32
	// DecisionTimeout is how long to wait for each order's decision, up to a minute. 0
	// means not to wait.
	DecisionTimeout time.Duration
	// Replay is a recording that is posted instead of generated orders, from its start to
	// its end: JSON Lines of orders and payments. Nil: none. Orders, Seed and all shares but
	// ShipShare have no meaning then.
	Replay io.Reader
	// Progress is called every ProgressEvery with what was done until then. Nil: never. 0
	// means 5 s.
	Progress      func(Summary)
	ProgressEvery time.Duration
	// Logger gets what goes wrong on the way. Nil means none.
	Logger *slog.Logger
	// HTTP is the HTTP client. Nil means one of its own.
	HTTP *http.Client
}

// Default returns a configuration that shows everything: mostly good orders, some bad
// ones, payments, shipments, and customers who order suspiciously often.
func Default(api string) Config {
	return Config{
		API: api, Prefix: "demo", Orders: 100, Rate: 20, Workers: 32, Customers: 10, FirstCustomer: 1,
		BadShare: 0.1, BurstShare: 0.05, PaidShare: 0.7, ShipShare: 0.3, Stock: 10_000, DecisionTimeout: 10 * time.Second,
	}
}

func (c *Config) setDefaults() {
	if c.Seed == 0 {
		c.Seed = rand.Uint64()>>16 | 1
	}
	if c.Prefix == "" {
		c.Prefix = "demo"
	}
	if c.Workers == 0 {
		c.Workers = 32
	}
	if c.Customers == 0 {
		c.Customers = 10
	}
	if c.FirstCustomer == 0 {
		c.FirstCustomer = 1
	}
	if c.LateBy == 0 {
		c.LateBy = 70 * time.Second
	}
	if c.ProgressEvery == 0 {
		c.ProgressEvery = 5 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Validate reports what cannot work.
func (c *Config) Validate() error {
	var errs []error
	if c.API == "" {
		errs = append(errs, errors.New("the address of the API is missing"))
	}
	if c.Orders < 0 || c.Rate < 0 || c.Workers < 0 || c.Customers < 0 {
		errs = append(errs, errors.New("the numbers of orders, workers and customers and the rate must not be negative"))
	}
	for _, s := range []struct {
		name  string
		share float64
	}{{"bad orders", c.BadShare}, {"bursts", c.BurstShare}, {"payments", c.PaidShare}, {"late payments", c.LateShare}, {"shipments", c.ShipShare}} {
		if !(s.share >= 0 && s.share <= 1) {
			errs = append(errs, fmt.Errorf("the share of %s must be from 0 to 1, not %v", s.name, s.share))
		}
	}
	if c.LateBy < 0 || c.ProgressEvery < 0 {
		errs = append(errs, errors.New("times must not be negative"))
	}
	if c.DecisionTimeout < 0 || c.DecisionTimeout > time.Minute {
		errs = append(errs, errors.New("the time to wait for a decision must be from 0 to a minute"))
	}
	return errors.Join(errs...)
}

// Summary says what became of a run.
type Summary struct {
	Seed uint64
	// Accepted orders were new, Known ones had been posted before, Refused documents
	// were not taken.
	Accepted, Known, Refused int
	Payments                 int
	// Validated, Failed and Undecided count decisions, if they were waited for. Shipped
	// orders were validated too.
	Validated, Failed, Undecided, Shipped int
	// Errors counts items that could not be posted.
	Errors int
	Took   time.Duration
	// latencies are from posting an order to its decision, and answers to the API's
	// answer; sorted when the run is over.
	latencies, answers []time.Duration
}

// Latency returns how long the decision of a share of the orders took at most, such
// as 0.99 of them, counted from the moment of posting; 0 when none was waited for.
func (s Summary) Latency(share float64) time.Duration { return percentile(s.latencies, share) }

// AnswerLatency returns how long the API took at most to take a share of the orders.
func (s Summary) AnswerLatency(share float64) time.Duration { return percentile(s.answers, share) }

func percentile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	i := int(share * float64(len(sorted)))
	return sorted[min(i, len(sorted)-1)]
}

func percentiles(sorted []time.Duration) string {
	var parts []string
	for _, p := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}} {
		parts = append(parts, p.name+" "+percentile(sorted, p.share).Round(100*time.Microsecond).String())
	}
	return strings.Join(parts, ", ")
}

// String returns the summary in a few lines.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d orders accepted, %d known before, %d refused, %d payments in %s",
		s.Accepted, s.Known, s.Refused, s.Payments, s.Took.Round(time.Millisecond))
	if s.Seed != 0 {
		fmt.Fprintf(&b, " (seed %d)", s.Seed)
	}
	if len(s.answers) > 0 {
		fmt.Fprintf(&b, "\ntaken after %s", percentiles(s.answers))
	}
	if len(s.latencies) > 0 || s.Undecided > 0 {
		fmt.Fprintf(&b, "\n%d validated (%d shipped), %d failed, %d undecided; decision after %s",
			s.Validated, s.Shipped, s.Failed, s.Undecided, percentiles(s.latencies))
	}
	if s.Errors > 0 {
		fmt.Fprintf(&b, "\n%d could not be posted", s.Errors)
	}
	return b.String()
}

// ProgressLine returns what was done until now in one line.
func (s Summary) ProgressLine() string {
	perSecond := 0.0
	if s.Took > 0 {
		perSecond = float64(s.Accepted) / s.Took.Seconds()
	}
	return fmt.Sprintf("%s: %d orders accepted (%.0f/s), %d refused, %d payments, %d validated, %d failed, %d errors",
		s.Took.Round(time.Second), s.Accepted, perSecond, s.Refused, s.Payments, s.Validated, s.Failed, s.Errors)
}

// Run posts what the configuration says and returns what became of it. It ends early,
// without an error, when ctx ends.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	if err := cfg.Validate(); err != nil {
		return Summary{}, fmt.Errorf("populating: %w", err)
	}
	cfg.setDefaults()
	r := &runner{cfg: cfg, client: NewClient(cfg.API, cfg.HTTP), start: time.Now()}
	next, err := r.source()
	if err != nil {
		return Summary{}, fmt.Errorf("populating: %w", err)
	}
	if err := r.stock(ctx); err != nil {
		if ctx.Err() != nil {
			return r.summary, nil
		}
		return r.summary, fmt.Errorf("populating: %w", err)
	}
	stopProgress := r.reportProgress()
	r.orders(ctx, next)
	r.late.Wait()
	stopProgress()
	r.summary.Took = time.Since(r.start)
	slices.Sort(r.summary.latencies)
	slices.Sort(r.summary.answers)
	if r.firstErr != nil && r.summary.Accepted+r.summary.Known == 0 {
		return r.summary, fmt.Errorf("populating: %w", r.firstErr)
	}
	return r.summary, nil
}

type runner struct {
	cfg    Config
	client *Client
	start  time.Time
	late   sync.WaitGroup // payments that are still to come

	mu       sync.Mutex
	summary  Summary
	firstErr error
}

// source returns what gives the items to post, one after the other, and false at the end.
func (r *runner) source() (func() (item, bool), error) {
	if r.cfg.Replay != nil {
		items, err := readRecording(r.cfg.Replay)
		return func() (it item, ok bool) {
			if len(items) == 0 {
				return it, false
			}
			it, items = items[0], items[1:]
			return it, true
		}, err
	}
	r.summary.Seed = r.cfg.Seed
	g := newGenerator(r.cfg)
	return func() (item, bool) {
		if r.cfg.Orders > 0 && g.n >= r.cfg.Orders {
			return item{}, false
		}
		return g.next(), true
	}, nil
}

// reportProgress reports until the returned function is called.
func (r *runner) reportProgress() (stop func()) {
	if r.cfg.Progress == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(r.cfg.ProgressEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			r.mu.Lock()
			s := r.summary
			r.mu.Unlock()
			s.latencies, s.answers, s.Took = nil, nil, time.Since(r.start)
			r.cfg.Progress(s)
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

func (r *runner) stock(ctx context.Context) error {
	if r.cfg.Stock < 0 {
		return nil
	}
	for _, p := range order.Products {
		_, err := r.client.SetStock(ctx, p, r.cfg.Stock)
		var no *APIError
		if errors.As(err, &no) && no.Status == http.StatusConflict {
			r.cfg.Logger.Warn("leaving the stock as it is", "product", p, "reason", no.Detail)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) orders(ctx context.Context, next func() (item, bool)) {
	items := make(chan item)
	var workers sync.WaitGroup
	for range r.cfg.Workers {
		workers.Go(func() {
			for it := range items {
				if err := r.post(ctx, it); err != nil && ctx.Err() == nil {
					r.failed(err)
				}
			}
		})
	}
	pace := newPace(r.cfg.Rate)
	defer pace.stop()
	for {
		it, ok := next()
		if !ok || !pace.wait(ctx) {
			break
		}
		select {
		case items <- it:
		case <-ctx.Done():
		}
	}
	close(items)
	workers.Wait()
}

func (r *runner) failed(err error) {
	r.cfg.Logger.Warn("an item could not be posted", "error", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary.Errors++
	if r.firstErr == nil {
		r.firstErr = err
	}
}

func (r *runner) count(change func(*Summary)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.summary)
}

// post posts one item, its payment, and waits for its decision.
func (r *runner) post(ctx context.Context, it item) error {
	if it.document != nil {
		err := r.client.PostDocument(ctx, it.document)
		var no *APIError
		switch {
		case errors.As(err, &no) && no.Status < 500:
			r.count(func(s *Summary) { s.Refused++ })
			return nil
		case err == nil:
			return fmt.Errorf("the API took a document that it has to refuse: %s", it.document)
		default:
			return err
		}
	}
	if it.order.ID == "" {
		return r.pay(ctx, *it.payment)
	}
	start := time.Now()
	isNew, err := r.client.PostOrder(ctx, it.order)
	if err != nil {
		return err
	}
	answered := time.Since(start)
	r.count(func(s *Summary) {
		s.answers = append(s.answers, answered)
		if isNew {
			s.Accepted++
		} else {
			s.Known++
		}
	})
	switch {
	case it.payment == nil:
	case it.late:
		r.payLate(ctx, *it.payment)
	default:
		if err := r.pay(ctx, *it.payment); err != nil {
			return err
		}
	}
	if r.cfg.DecisionTimeout == 0 {
		return nil
	}
	return r.decision(ctx, it.order.ID, start)
}

func (r *runner) pay(ctx context.Context, p order.Payment) error {
	if err := r.client.PostPayment(ctx, p); err != nil {
		return err
	}
	r.count(func(s *Summary) { s.Payments++ })
	return nil
}

// payLate pays after LateBy, unless ctx ends first.
func (r *runner) payLate(ctx context.Context, p order.Payment) {
	r.late.Go(func() {
		timer := time.NewTimer(r.cfg.LateBy)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if err := r.pay(ctx, p); err != nil && ctx.Err() == nil {
			r.failed(err)
		}
	})
}

func (r *runner) decision(ctx context.Context, id string, start time.Time) error {
	o, err := r.client.Validated(ctx, id, r.cfg.DecisionTimeout)
	if err != nil {
		return err
	}
	took := time.Since(start)
	ship := o.State == order.Validated && r.ships(id)
	r.count(func(s *Summary) {
		switch {
		case !o.State.Final():
			s.Undecided++
			return
		case o.State == order.Failed:
			s.Failed++
		default:
			s.Validated++
		}
		s.latencies = append(s.latencies, took)
	})
	if !ship {
		return nil
	}
	if err := r.client.Ship(ctx, id); err != nil {
		return err
	}
	r.count(func(s *Summary) { s.Shipped++ })
	return nil
}

// ships decides by the id, since orders are decided in no fixed sequence.
func (r *runner) ships(id string) bool {
	h := fnv.New64a()
	h.Write([]byte(id))
	return rand.New(rand.NewPCG(r.cfg.Seed, h.Sum64())).Float64() < r.cfg.ShipShare
}

// pace lets through so many per second.
type pace struct{ ticker *time.Ticker }

func newPace(perSecond float64) pace {
	if perSecond == 0 {
		return pace{}
	}
	return pace{ticker: time.NewTicker(max(time.Duration(float64(time.Second)/perSecond), time.Microsecond))}
}

func (p pace) stop() {
	if p.ticker != nil {
		p.ticker.Stop()
	}
}

// wait blocks until the next one may go, and reports false when ctx ended.
func (p pace) wait(ctx context.Context) bool {
	if p.ticker == nil {
		return ctx.Err() == nil
	}
	select {
	case <-p.ticker.C:
		return true
	case <-ctx.Done():
		return false
	}
}
