package verify

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
)

const paymentSchema = `{"type":"record","name":"Payment","fields":[{"name":"id","type":"string"},{"name":"orderId","type":"string"},
 {"name":"ccy","type":"string"},{"name":"amount","type":"double"}]}`

func cluster(t *testing.T) (kafka.Config, *Reader) {
	t.Helper()
	cfg := kafkatest.Start(t, 2, []string{"payments.v1", "warehouse-inventory.v1", "other.v1"}, map[string]string{"payments.v1-value": paymentSchema})
	r, err := NewReader(Config{Brokers: cfg.Brokers, SchemaRegistry: cfg.SchemaRegistry})
	require.NoError(t, err)
	return cfg, r
}

func payment(t *testing.T, cfg kafka.Config, id string) *kgo.Record {
	t.Helper()
	value := kafkatest.Encode(t, cfg, "payments.v1-value", Payment{id, "a", "EUR", 1})
	return &kgo.Record{Topic: "payments.v1", Key: []byte(id), Value: value}
}

func TestReaderGoesOnWhereItStopped(t *testing.T) {
	cfg, r := cluster(t)
	require.NoError(t, r.Read(t.Context()))
	require.Empty(t, r.History().Payments)
	numbered := &kgo.Record{Topic: "other.v1", Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: seqHeader, Value: []byte("s/q/0_1/1")}}}
	kafkatest.Produce(t, cfg, payment(t, cfg, "p-1"), numbered,
		&kgo.Record{Topic: "warehouse-inventory.v1", Key: []byte("JUMPERS"), Value: binary.BigEndian.AppendUint32(nil, 7)})
	require.NoError(t, r.Read(t.Context()))
	kafkatest.Produce(t, cfg, payment(t, cfg, "p-2"))
	require.NoError(t, r.Read(t.Context()))
	h := r.History()
	require.Len(t, h.Payments, 2)
	require.Equal(t, Payment{"p-1", "a", "EUR", 1}, h.Payments[0].Value)
	require.Equal(t, int32(7), h.Warehouse[0].Value.Quantity)
	require.Equal(t, map[string]int{"k": 1}, h.Keys["other.v1"])
	require.Equal(t, RuleNumbers, Check(h, Claims{}).Open[0].Rule, "output 0 is missing")

	again := r.Again()
	require.NoError(t, again.Read(t.Context()))
	require.Empty(t, again.History().changed)
	require.Len(t, again.History().Payments, 2)
}

func TestReaderNoticesThatRecordsAreGoneOrChanged(t *testing.T) {
	cfg, r := cluster(t)
	kafkatest.Produce(t, cfg, payment(t, cfg, "p-1"), payment(t, cfg, "p-1"))
	require.NoError(t, r.Read(t.Context()))

	client, err := kafka.NewClient(cfg)
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	again := func() {
		_, err = admin.DeleteTopic(t.Context(), "payments.v1")
		require.NoError(t, err)
		_, err = admin.CreateTopic(t.Context(), 2, 1, nil, "payments.v1")
		require.NoError(t, err)
	}
	again()
	require.NoError(t, r.Read(t.Context()))
	require.NotEmpty(t, r.History().changed, "the partition is shorter")
	require.Equal(t, RuleUnchanged, Check(r.History(), Claims{}).Broken[0].Rule)

	second := r.Again()
	kafkatest.Produce(t, cfg, payment(t, cfg, "p-1"), payment(t, cfg, "p-1"))
	require.NoError(t, second.Read(t.Context()))
	require.NotEmpty(t, second.History().changed, "the records have other times")

	kafkatest.Produce(t, cfg, &kgo.Record{Topic: "payments.v1", Value: []byte("junk")})
	require.NoError(t, second.Read(t.Context()))
	require.Equal(t, RuleReadable, Check(second.History(), Claims{}).Broken[0].Rule)
}

func TestWhatMakesNoSenseIsCountedAndReadingGoesOn(t *testing.T) {
	ledger, err := os.ReadFile("../../schemas/inventory-ledger.v1-value.avsc")
	require.NoError(t, err)
	cfg := kafkatest.Start(t, 1, []string{"payments.v1", "warehouse-inventory.v1", "inventory-ledger.v1"}, map[string]string{
		"payments.v1-value": paymentSchema, "inventory-ledger.v1-value": string(ledger), "text": `"string"`,
	})
	r, err := NewReader(Config{Brokers: cfg.Brokers, SchemaRegistry: cfg.SchemaRegistry})
	require.NoError(t, err)
	good := LedgerEntry{Kind: "STOCK_SET", Product: "JUMPERS", Quantity: 7, SourceTopic: "warehouse-inventory.v1"}
	entry := func(e LedgerEntry) []byte { return kafkatest.Encode(t, cfg, "inventory-ledger.v1-value", e) }
	kafkatest.Produce(t, cfg, &kgo.Record{Topic: "warehouse-inventory.v1", Key: []byte("JUMPERS"), Value: binary.BigEndian.AppendUint32(nil, 7)},
		&kgo.Record{Topic: "inventory-ledger.v1", Key: []byte("JUMPERS"), Value: entry(good)}, payment(t, cfg, "p-1"))
	for topic, values := range map[string][][]byte{
		"payments.v1":            {nil, []byte("junk"), entry(good), kafkatest.Encode(t, cfg, "text", "a"), {0, 0, 0, 0, 0, 2}, {0, 0x80, 0, 0, 0, 2}},
		"warehouse-inventory.v1": {[]byte("12345")},
		"inventory-ledger.v1":    {nil, []byte("junk"), payment(t, cfg, "p-1").Value, entry(LedgerEntry{Kind: "SHIP"}), append(entry(good), 1)},
	} {
		for _, value := range values {
			kafkatest.Produce(t, cfg, &kgo.Record{Topic: topic, Key: []byte("JUMPERS"), Value: value})
		}
	}
	require.NoError(t, r.Read(t.Context()))
	report := Check(r.History(), Claims{Strangers: true})
	require.Equal(t, 12, report.Foreign)
	require.Empty(t, report.Broken, report.Text(20))
	require.Len(t, Check(r.History(), Claims{}).Broken, 12)
	require.Len(t, r.History().Ledger, 1)

	kafkatest.Produce(t, cfg, &kgo.Record{Topic: "inventory-ledger.v1", Key: []byte("JUMPERS"), Value: []byte{0, 0, 0, 0, 99, 2}})
	require.NoError(t, r.Read(t.Context()))
	report = Check(r.History(), Claims{Strangers: true})
	require.Len(t, report.Broken, 1)
	require.Contains(t, report.Broken[0].Detail, "does not know its schema 99")
}

func TestReaderCountsKnownRubbish(t *testing.T) {
	cfg, _ := cluster(t)
	mark := kgo.RecordHeader{Key: "rubbish"}
	r, err := NewReader(Config{Brokers: cfg.Brokers, SchemaRegistry: cfg.SchemaRegistry, Rubbish: func(rec *kgo.Record) bool {
		return len(rec.Headers) > 0 && rec.Headers[0].Key == mark.Key
	}})
	require.NoError(t, err)
	kafkatest.Produce(t, cfg, payment(t, cfg, "p-1"),
		&kgo.Record{Topic: "payments.v1", Value: []byte("junk"), Headers: []kgo.RecordHeader{mark}},
		&kgo.Record{Topic: "other.v1", Headers: []kgo.RecordHeader{mark}})
	require.NoError(t, r.Read(t.Context()))
	require.Len(t, r.History().Payments, 1)
	require.Empty(t, r.History().Keys)
	require.Equal(t, 2, Check(r.History(), Claims{}).Rubbish)
}
