package populate

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/order"
)

const recording = `{"id":"r-1","customerId":1,"state":"CREATED","product":"JUMPERS","quantity":2,"price":9.5}

{"id":"p-1","orderId":"r-1","ccy":"EUR","amount":19}
{"id":"r-1","customerId":1,"state":"VALIDATED","product":"JUMPERS","quantity":2,"price":9.5}
{"id":"r-2","customerId":1,"state":"CREATED","product":"JUMPERS","quantity":0,"price":9.5}
`

func TestRecordingIsPosted(t *testing.T) {
	api, url := newFakeAPI(t)
	s, err := Run(t.Context(), Config{API: url, Workers: 1, DecisionTimeout: time.Second, Stock: -1, Replay: strings.NewReader(recording)})
	require.NoError(t, err)
	assert.Equal(t, []int{2, 1, 1, 1}, []int{s.Accepted, s.Payments, s.Validated, s.Failed})
	assert.Equal(t, order.Payment{ID: "p-1", OrderID: "r-1", Currency: "EUR", Amount: 19}, api.payments["p-1"])
	assert.Equal(t, int32(0), api.orders["r-2"].Quantity)
	assert.Empty(t, api.stock)
	assert.NotContains(t, s.String(), "seed")
	assert.Contains(t, s.String(), "taken after p50 ")
}

func TestWrongRecordingsAreNotPosted(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":       {"\n", "it has no order"},
		"no JSON":     {recording + "x", "line 6"},
		"wrong order": {recording + `{"id":"r-3"}`, "line 6: invalid document"},
		"payment":     {`{"orderId":"r-3"}`, "line 1: invalid document"},
		"long line":   {recording + strings.Repeat("x", maxLine+1), "after line 5"},
		"other kinds": {`{"orderId":5,"state":[]}`, "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			api, url := newFakeAPI(t)
			_, err := Run(t.Context(), Config{API: url, Replay: strings.NewReader(c.text)})
			require.ErrorContains(t, err, c.want)
			assert.Empty(t, api.orders)
		})
	}
}

func TestLatePaymentsAreWaitedFor(t *testing.T) {
	api, url := newFakeAPI(t)
	cfg := config(url)
	cfg.BadShare, cfg.PaidShare, cfg.LateShare, cfg.LateBy, cfg.Orders = 0, 1, 0.5, 20*time.Millisecond, 40
	var lines atomic.Int64
	cfg.ProgressEvery = time.Millisecond
	cfg.Progress = func(s Summary) {
		assert.Contains(t, s.ProgressLine(), "orders accepted")
		lines.Add(1)
	}
	s, err := Run(t.Context(), cfg)
	require.NoError(t, err)
	assert.Equal(t, 40, s.Payments)
	assert.Len(t, api.payments, 40)
	assert.GreaterOrEqual(t, s.Took, cfg.LateBy)
	assert.Positive(t, lines.Load())

	g := newGenerator(cfg)
	late := 0
	for range 40 {
		if g.next().late {
			late++
		}
	}
	assert.Greater(t, late, 5)
	assert.Less(t, late, 35)
}

func TestPercentiles(t *testing.T) {
	var sorted []time.Duration
	for i := range 100 {
		sorted = append(sorted, time.Duration(i+1)*time.Millisecond)
	}
	assert.Equal(t, "p50 51ms, p90 91ms, p99 100ms, max 100ms", percentiles(sorted))
	assert.Equal(t, "p50 0s, p90 0s, p99 0s, max 0s", percentiles(nil))
}

func FuzzReadRecording(f *testing.F) {
	f.Add(recording)
	f.Add(`{"orderId":null}`)
	f.Add(`[1]`)
	f.Fuzz(func(t *testing.T, text string) {
		items, err := readRecording(strings.NewReader(text))
		if err == nil {
			require.NotEmpty(t, items)
		}
	})
}
