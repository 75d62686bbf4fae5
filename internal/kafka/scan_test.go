package kafka_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
)

func TestScanReadsSpansToTheirEnds(t *testing.T) {
	cfg := kafkatest.Start(t, 4, []string{"a", "b", "empty"}, nil)
	began := time.UnixMilli(1_700_000_000_000)
	var records []*kgo.Record
	for i := range 40 {
		key := fmt.Sprint("k", i%5)
		records = append(records,
			&kgo.Record{Topic: "a", Key: []byte(key), Value: fmt.Append(nil, i), Timestamp: began.Add(time.Duration(i) * time.Second)},
			&kgo.Record{Topic: "b", Key: []byte(key), Value: fmt.Append(nil, i), Timestamp: began.Add(time.Duration(i) * time.Second)})
	}
	kafkatest.Produce(t, cfg, records...)
	scan := func(spans ...kafka.Span) (values []string) {
		require.NoError(t, kafka.Scan(t.Context(), cfg, spans, func(r *kgo.Record) error {
			values = append(values, r.Topic+string(r.Key)+":"+string(r.Value))
			return nil
		}))
		return values
	}
	assert.Len(t, scan(kafka.Span{Topic: "a"}, kafka.Span{Topic: "b"}, kafka.Span{Topic: "empty"}, kafka.Span{Topic: "missing"}), 80)
	assert.Len(t, scan(kafka.Span{Topic: "a", Since: began.Add(30 * time.Second)}), 10)
	assert.Empty(t, scan(kafka.Span{Topic: "a", Since: began.Add(time.Hour)}))
	assert.Empty(t, scan(kafka.Span{Topic: "missing", Since: began}))
	assert.Empty(t, scan())

	keyed := scan(kafka.Span{Topic: "b", Key: "k3"})
	for i := 3; i < 40; i += 5 {
		assert.Contains(t, keyed, fmt.Sprint("bk3:", i), "the partition of the key holds all its records")
	}
	assert.Less(t, len(keyed), 40)

	boom := errors.New("enough")
	require.ErrorIs(t, kafka.Scan(t.Context(), cfg, []kafka.Span{{Topic: "a"}}, func(*kgo.Record) error { return boom }), boom)
}
