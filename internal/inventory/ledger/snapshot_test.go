package ledger

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// randomEntries are what several writers may leave, repetitions and late ones included.
func randomEntries(rng *rand.Rand, n int) []Entry {
	products := []string{"JUMPERS", "UNDERPANTS", "STOCKINGS", "SOCKS", "HATS", "SCARVES", "GLOVES"}
	var entries []Entry
	for i := range n {
		e := Entry{
			Kind: []Kind{StockSet, ReserveRequest, ReserveRequest, ReserveRequest, Release, Ship}[rng.IntN(6)], Product: products[rng.IntN(len(products))],
			OrderID: fmt.Sprintf("o-%d", rng.IntN(n/2)), Quantity: int32(rng.IntN(9)) - 1, Source: Source{"orders-by-product.v1", int32(rng.IntN(4)), int64(i)},
		}
		if e.Kind == StockSet {
			e.OrderID, e.Quantity, e.Source.Topic = "", int32(rng.IntN(100)), "warehouse-inventory.v1"
		}
		if rng.IntN(10) == 0 && len(entries) > 0 {
			e = entries[rng.IntN(len(entries))]
		}
		entries = append(entries, e)
	}
	return entries
}

// From a snapshot at whatever place, the rest of the ledger leads to the same as all of it.
func TestSnapshotsGoOnAsTheWholeLedgerWould(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		entries := randomEntries(rng, 400)
		whole := foldAll(entries)
		for range 10 {
			at := rng.IntN(len(entries) + 1)
			before := snapshot{next: int64(at), last: digest{1, 2}, fold: foldAll(entries[:at]), lastSet: map[string]Source{"JUMPERS": {"w", 1, 7}}}
			after, err := decodeSnapshot(before.encode())
			require.NoError(t, err)
			require.Equal(t, before, after)
			for _, e := range entries[at:] {
				after.fold.Apply(e)
			}
			require.Equal(t, whole, after.fold, "seed %d, snapshot at %d", seed, at)
		}
	}
}

func TestDamagedSnapshotsAreRefused(t *testing.T) {
	s := snapshot{next: 7, fold: foldAll(randomEntries(rand.New(rand.NewPCG(1, 2)), 50)), lastSet: map[string]Source{}}
	good := s.encode()
	_, err := decodeSnapshot(good)
	require.NoError(t, err)
	for i := range good {
		_, err := decodeSnapshot(good[:i])
		require.Error(t, err)
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		_, err = decodeSnapshot(bad)
		require.Error(t, err)
	}
	_, err = decodeSnapshot(append(bytes.Clone(good), 0))
	require.Error(t, err)
}

func FuzzDecodeSnapshot(f *testing.F) {
	s := snapshot{next: 7, fold: foldAll(randomEntries(rand.New(rand.NewPCG(1, 2)), 20)), lastSet: map[string]Source{"JUMPERS": {"w", 1, 7}}}
	f.Add(s.encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := decodeSnapshot(data); err == nil {
			again, err := decodeSnapshot(s.encode())
			require.NoError(t, err)
			require.Equal(t, s, again)
		}
	})
}

// ledgerTopic is a ledger to be read, with what its readers log.
type ledgerTopic struct {
	t   *testing.T
	cfg ReaderConfig
	enc *kafka.Encoder
	log *bytes.Buffer
}

func startLedger(t *testing.T, dir string) *ledgerTopic {
	t.Helper()
	subject := order.ValueSubject(order.TopicInventoryLedger)
	schema, err := schemas.Files.ReadFile(subject + ".avsc")
	require.NoError(t, err)
	cfg := kafkatest.Start(t, 2, []string{order.TopicInventoryLedger}, map[string]string{subject: string(schema)})
	registry, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	enc, err := registry.Encoder(t.Context(), subject)
	require.NoError(t, err)
	log := &bytes.Buffer{}
	return &ledgerTopic{t, ReaderConfig{
		Kafka: cfg, Registry: registry, SnapshotDir: dir, SnapshotEvery: 50, Logger: slog.New(slog.NewTextHandler(log, nil)),
	}, enc, log}
}

func (l *ledgerTopic) write(entries []Entry) {
	var records []*kgo.Record
	for _, e := range entries {
		rec, err := Record(l.enc, e)
		require.NoError(l.t, err)
		records = append(records, rec)
	}
	kafkatest.Produce(l.t, l.cfg.Kafka, records...)
}

// read returns what a reader knows that starts now, and how many entries it read.
func (l *ledgerTopic) read() (folds map[int32]*Fold, lastSet map[string]Source, entries int) {
	r, err := NewReader(l.cfg)
	require.NoError(l.t, err)
	defer r.Close()
	require.NoError(l.t, r.AddAll(l.t.Context()))
	require.NoError(l.t, r.CatchUp(l.t.Context()))
	r.saving.Wait()
	for _, n := range r.fresh {
		entries += n
	}
	folds = map[int32]*Fold{}
	for _, p := range r.Partitions() {
		// A copy, since closing goes on with it.
		s, err := decodeSnapshot(snapshot{fold: r.Fold(p)}.encode())
		require.NoError(l.t, err)
		folds[p] = s.fold
	}
	return folds, maps.Clone(r.lastSets()), entries
}

func TestAReaderStartsFromItsSnapshots(t *testing.T) {
	dir := t.TempDir()
	l := startLedger(t, dir)
	entries := randomEntries(rand.New(rand.NewPCG(3, 4)), 600)
	l.write(entries[:400])
	l.read()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, files, 2, "one of each partition, and nothing else")

	_, _, n := l.read()
	assert.Zero(t, n, "nothing came since")
	l.write(entries[400:])
	folds, lastSet, n := l.read()
	assert.Positive(t, n)
	assert.LessOrEqual(t, n, 200)

	l.cfg.SnapshotDir = ""
	wholeFolds, wholeLast, _ := l.read()
	assert.Equal(t, wholeFolds, folds)
	assert.Equal(t, wholeLast, lastSet)
	assert.NotContains(t, l.log.String(), "WARN")
}

func TestSnapshotsOfAnotherLedgerAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	entries := randomEntries(rand.New(rand.NewPCG(5, 6)), 300)
	first := startLedger(t, dir)
	first.write(entries)
	first.read()
	for name, n := range map[string]int{"an empty one": 0, "a shorter one": 20, "a longer one": 300} {
		t.Run(name, func(t *testing.T) {
			other := startLedger(t, t.TempDir())
			require.NoError(t, os.CopyFS(other.cfg.SnapshotDir, os.DirFS(dir)))
			other.write(randomEntries(rand.New(rand.NewPCG(7, 8)), 300)[:n])
			folds, _, _ := other.read()
			assert.Contains(t, other.log.String(), "its snapshot is of another ledger")
			other.cfg.SnapshotDir = ""
			whole, _, _ := other.read()
			assert.Equal(t, whole, folds)
		})
	}
	for _, file := range []string{"inventory-ledger.v1-0.snapshot", "inventory-ledger.v1-1.snapshot"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(snapshotMagic+"nonsense"), 0o600))
	}
	folds, _, _ := first.read()
	assert.Equal(t, 2, strings.Count(first.log.String(), "its checksum is wrong"))
	first.cfg.SnapshotDir = ""
	whole, _, _ := first.read()
	assert.Equal(t, whole, folds)
}

func BenchmarkStart(b *testing.B) {
	const orders = 100_000
	f := NewFold()
	f.Apply(Entry{Kind: StockSet, Product: "JUMPERS", Quantity: 1 << 30})
	for i := range orders {
		f.Apply(Entry{Kind: ReserveRequest, Product: "JUMPERS", OrderID: fmt.Sprintf("order-%012d", i), Quantity: 1})
	}
	data := snapshot{fold: f}.encode()
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := decodeSnapshot(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			snapshot{fold: f}.encode()
		}
	})
}
