package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/search"
	"github.com/orderflow/orderflow/internal/telemetry"
)

// fakeStore answers from maps, like tables that hold what tests put there.
type fakeStore struct {
	mu       sync.Mutex
	orders   map[string]order.Order
	payments map[string]order.Payment
	// submitted is when every order was submitted.
	submitted time.Time
	customers map[int64]customer
	// checks are the results of every order's checks.
	checks map[order.CheckType]order.Result
	err    error
	asked  chan []string // gets the ids of each look-up of orders when not nil
}

func (s *fakeStore) Orders(_ context.Context, ids ...string) (map[string]order.Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked != nil {
		s.asked <- ids
	}
	found := map[string]order.Order{}
	for _, id := range ids {
		if o, ok := s.orders[id]; ok {
			found[id] = o
		}
	}
	return found, s.err
}

func (s *fakeStore) Payments(_ context.Context, ids ...string) (map[string]order.Payment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := maps.Clone(s.payments)
	return found, s.err
}

func (s *fakeStore) Submitted(_ context.Context, id string) (time.Time, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.orders[id]; !ok {
		return time.Time{}, 0, s.err
	}
	return s.submitted, 1, s.err
}

func (s *fakeStore) Customer(_ context.Context, id int64) (customer, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.customers[id]
	return c, ok, s.err
}

func (s *fakeStore) Checks(context.Context, string) (map[order.CheckType]order.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.checks), s.err
}

func (s *fakeStore) put(o order.Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[o.ID] = o
}

func (s *fakeStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// fakePublisher keeps what was written.
type fakePublisher struct {
	mu        sync.Mutex
	orders    []order.Order
	payments  []order.Payment
	shipments []order.Shipment
	units     []int32
	err       error
	gate      chan struct{} // when not nil, an order is acknowledged once this is closed
}

func (p *fakePublisher) PublishOrder(_ context.Context, o order.Order) error {
	if p.gate != nil {
		<-p.gate
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.orders = append(p.orders, o)
	}
	return p.err
}

func (p *fakePublisher) OrderUnsettled(string) bool   { return false }
func (p *fakePublisher) PaymentUnsettled(string) bool { return false }

func (p *fakePublisher) PublishPayment(_ context.Context, pay order.Payment, acknowledged func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.payments = append(p.payments, pay)
		acknowledged()
	}
	return p.err
}

func (p *fakePublisher) PublishShipment(_ context.Context, s order.Shipment) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.shipments = append(p.shipments, s)
	}
	return p.err
}

func (p *fakePublisher) PublishStock(_ context.Context, _ order.Product, units int32) (ledger.Source, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.units = append(p.units, units)
	}
	return ledger.Source{Topic: order.TopicWarehouseInventory}, p.err
}

// fakeTopic is the one partition of orders.v1: it only has an end.
type fakeTopic struct {
	mu    sync.Mutex
	at    int64
	err   error
	asked int
	// gate, when not nil, holds every answer until it gets a value.
	gate chan struct{}
}

func (f *fakeTopic) end(ctx context.Context, _ int32) (int64, error) {
	f.mu.Lock()
	f.asked++
	at, err, gate := f.at, f.err, f.gate
	f.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return at, err
}

// add makes the topic longer by one record.
func (f *fakeTopic) add() (offset int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at++
	return f.at - 1
}

func decodeJSON(_ context.Context, data []byte, v any) error { return json.Unmarshal(data, v) }

type fakeStock struct {
	ready   bool
	applied bool
	stocks  []ledger.Stock
	// reservations has what became of the requests of orders.
	reservations map[string]ledger.Reservation
}

func (s *fakeStock) Reservation(id string) (ledger.Reservation, bool) {
	r, ok := s.reservations[id]
	return r, ok
}

func (s *fakeStock) Ready() bool                                             { return s.ready }
func (s *fakeStock) Stocks() []ledger.Stock                                  { return s.stocks }
func (s *fakeStock) WaitApplied(context.Context, string, ledger.Source) bool { return s.applied }

// fakeHistory knows events of any order.
type fakeHistory struct {
	events []event
	err    error
	since  time.Time
	block  bool // until the context ends
}

func (f *fakeHistory) Events(ctx context.Context, _ order.Order, since time.Time, found func(event)) error {
	f.since = since
	for _, e := range f.events {
		found(e)
	}
	if f.block {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.err
}

// fakeSearch answers every search with the same page.
type fakeSearch struct {
	page  search.Page
	err   error
	query search.Query // the last that was asked for
}

func (f *fakeSearch) Orders(_ context.Context, query search.Query) (search.Page, error) {
	f.query = query
	return f.page, f.err
}

// fakeRows plays rows to one reader; closing the channel ends the query.
type fakeRows struct {
	columns []ksql.Column
	rows    <-chan []any
	ctx     context.Context
	row     []any
	err     error
}

func (r *fakeRows) Columns() []ksql.Column { return r.columns }

func (r *fakeRows) Next() bool {
	select {
	case row, ok := <-r.rows:
		r.row = row
		return ok
	case <-r.ctx.Done():
		r.err = r.ctx.Err()
		return false
	}
}

// Scan goes through JSON, which fits every destination the callers use.
func (r *fakeRows) Scan(dest ...any) error {
	if len(dest) != len(r.row) {
		return errors.New("wrong number of destinations")
	}
	for i, d := range dest {
		if d == nil {
			continue
		}
		data, err := json.Marshal(r.row[i])
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, d); err != nil {
			return err
		}
	}
	return nil
}

func (r *fakeRows) Err() error   { return r.err }
func (r *fakeRows) Close() error { return nil }

// fakeQueries hands out one prepared answer per query; when there is none, ksqlDB is down.
type fakeQueries struct {
	mu      sync.Mutex
	answers []*fakeRows
	asked   []string
	props   []map[string]string
}

func (q *fakeQueries) Query(ctx context.Context, sql string, props map[string]string) (Rows, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked = append(q.asked, sql)
	q.props = append(q.props, props)
	if len(q.answers) == 0 {
		return nil, errors.New("ksqlDB is down")
	}
	rows := q.answers[0]
	q.answers = q.answers[1:]
	rows.ctx = ctx
	return rows, nil
}

type fixture struct {
	t         *testing.T
	store     *fakeStore
	publisher *fakePublisher
	stock     *fakeStock
	history   *fakeHistory
	search    *fakeSearch
	topic     *fakeTopic
	handlers  *handlers
	router    http.Handler
	// partial says that the router has not all addresses.
	partial bool
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newLimitedFixture(t, Limits{})
}

func newLimitedFixture(t *testing.T, limits Limits) *fixture {
	t.Helper()
	limits.setDefaults()
	f := &fixture{
		t:         t,
		store:     &fakeStore{orders: map[string]order.Order{}, payments: map[string]order.Payment{}, customers: map[int64]customer{}},
		publisher: &fakePublisher{},
		stock:     &fakeStock{ready: true, applied: true, reservations: map[string]ledger.Reservation{}},
		history:   &fakeHistory{},
		search:    &fakeSearch{},
		topic:     &fakeTopic{},
	}
	cfg := Config{Limits: limits, Metrics: telemetry.NewRegistry(), Health: &telemetry.Health{}, Logger: slog.New(slog.DiscardHandler)}
	f.handlers = newHandlers(cfg, f.store, f.publisher, f.stock, f.history, newTail(kafka.Config{}, nil, cfg.Logger), newArrivals(decodeJSON, f.topic.end, nil, cfg.Logger), f.search)
	f.handlers.arrivals.begin([]int64{0}, []int64{0}, nil)
	f.router = f.handlers.router()
	return f
}

type answer struct {
	code   int
	header http.Header
	body   string
}

func (f *fixture) do(method, path, body string) answer {
	f.t.Helper()
	return f.doContext(f.t.Context(), method, path, body)
}

func (f *fixture) doContext(ctx context.Context, method, path, body string) answer {
	f.t.Helper()
	return f.request(httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body)))
}

func (f *fixture) request(r *http.Request) answer {
	f.t.Helper()
	rec := httptest.NewRecorder()
	f.router.ServeHTTP(rec, r)
	a := answer{rec.Code, rec.Header(), rec.Body.String()}
	if !f.partial || a.code != http.StatusNotFound {
		documented(f.t, r, a)
	}
	return a
}

// problem checks that an answer is a problem of a status and returns it.
func (f *fixture) problem(a answer, status int) problem {
	f.t.Helper()
	require.Equal(f.t, status, a.code, a.body)
	require.Equal(f.t, "application/problem+json", a.header.Get("Content-Type"))
	var p problem
	require.NoError(f.t, json.Unmarshal([]byte(a.body), &p))
	require.Equal(f.t, status, p.Status)
	require.NotEmpty(f.t, p.Title)
	return p
}
