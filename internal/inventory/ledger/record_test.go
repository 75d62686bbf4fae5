package ledger

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/schemas"
)

func TestDecodeTakesWhatAnyVersionWroteAndNothingElse(t *testing.T) {
	text, err := schemas.Files.ReadFile(order.ValueSubject(order.TopicInventoryLedger) + ".avsc")
	require.NoError(t, err)
	cfg := kafkatest.Start(t, 1, nil, map[string]string{
		"now": string(text), "later": strings.Replace(string(text), `"SHIP"`, `"SHIP", "COUNT"`, 1),
	})
	registry, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	decoder, err := NewDecoder(registry)
	require.NoError(t, err)
	good := wire{Kind: ReserveRequest, Product: "JUMPERS", OrderID: "o-1", Quantity: 2, SourceTopic: "t", SourceOffset: 7}
	with := func(change func(*wire)) wire { w := good; change(&w); return w }
	for name, tt := range map[string]struct {
		subject, key string
		value        wire
		want         error
	}{
		"an entry":                           {"now", "JUMPERS", good, nil},
		"an entry of a later schema":         {"later", "JUMPERS", good, nil},
		"a kind of a later version":          {"later", "JUMPERS", with(func(w *wire) { w.Kind = "COUNT" }), kafka.ErrNewer},
		"a later kind without a product":     {"later", "", with(func(w *wire) { w.Kind, w.Product = "COUNT", "" }), kafka.ErrNewer},
		"no product":                         {"now", "", with(func(w *wire) { w.Product = "" }), kafka.ErrForeign},
		"another key":                        {"now", "STOCKINGS", good, kafka.ErrForeign},
		"no key":                             {"now", "", good, kafka.ErrForeign},
		"no source":                          {"now", "JUMPERS", with(func(w *wire) { w.SourceTopic = "" }), kafka.ErrForeign},
		"a source before the first record":   {"now", "JUMPERS", with(func(w *wire) { w.SourceOffset = -1 }), kafka.ErrForeign},
		"a source in no partition":           {"now", "JUMPERS", with(func(w *wire) { w.SourcePartition = -1 }), kafka.ErrForeign},
		"a quantity that was answered FAIL":  {"now", "JUMPERS", with(func(w *wire) { w.Quantity = -1 }), nil},
		"an order id that was answered":      {"now", "JUMPERS", with(func(w *wire) { w.OrderID = "" }), nil},
		"a warehouse below zero, as was set": {"now", "JUMPERS", with(func(w *wire) { w.Kind, w.Quantity = StockSet, -1 }), nil},
		"a product that is no text":          {"now", "\xff", with(func(w *wire) { w.Product = "\xff" }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			rec := &kgo.Record{Key: []byte(tt.key), Value: kafkatest.Encode(t, cfg, tt.subject, tt.value)}
			e, err := decoder.Decode(t.Context(), rec)
			require.ErrorIs(t, err, tt.want)
			if tt.want == nil {
				assert.Equal(t, Entry{tt.value.Kind, tt.value.Product, tt.value.OrderID, tt.value.Quantity,
					Source{tt.value.SourceTopic, tt.value.SourcePartition, tt.value.SourceOffset}}, e)
			}
		})
	}
}
