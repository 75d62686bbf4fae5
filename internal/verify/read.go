package verify

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// Config says where to read.
type Config struct {
	// Brokers are the bootstrap addresses, host:port each.
	Brokers []string
	// SchemaRegistry is the registry's base URL.
	SchemaRegistry string
	// ClientOptions are added to those of the Kafka client, such as how to log in.
	ClientOptions []kgo.Opt
	// RegistryTransport sends the requests to the registry. Nil means
	// http.DefaultTransport.
	RegistryTransport http.RoundTripper
	// KnownTopics leaves out the topics that the package knows nothing of.
	KnownTopics bool
	// Rubbish tells the records that somebody wrote to see them passed over: they are
	// counted, and whatever comes of one is a record without a cause. Nil means none.
	Rubbish func(*kgo.Record) bool
}

// Reader reads the topics into a History, each time from where it stopped. One
// goroutine uses a Reader; it outlives the servers that it reads from.
type Reader struct {
	cfg     Config
	schemas *sr.Client
	byID    *schemaCache
	history *History
	seed    maphash.Seed
	at      map[place]position
	marks   map[place]position // what Compare expects on the way
}

type place struct {
	topic     string
	partition int32
}

// position is how far a partition has been read, and a digest of what was there.
type position struct {
	next   int64
	digest uint64
}

// registryTimeout bounds how long the registry may take to answer.
const registryTimeout = 10 * time.Second

// NewReader returns a reader that has read nothing.
func NewReader(cfg Config) (*Reader, error) {
	schemas, err := sr.NewClient(sr.URLs(strings.Split(cfg.SchemaRegistry, ",")...), sr.HTTPClient(&http.Client{Transport: cfg.RegistryTransport, Timeout: registryTimeout}))
	if err != nil {
		return nil, fmt.Errorf("setting up the Schema Registry client for %s: %w", cfg.SchemaRegistry, err)
	}
	return &Reader{
		cfg: cfg, schemas: schemas, byID: &schemaCache{}, history: NewHistory(),
		seed: maphash.MakeSeed(), at: map[place]position{}, marks: map[place]position{},
	}, nil
}

// History returns what has been read. It grows with each call of Read.
func (r *Reader) History() *History { return r.history }

// Empty returns a reader of the same schemas that has read nothing.
func (r *Reader) Empty() *Reader {
	return &Reader{
		cfg: r.cfg, schemas: r.schemas, byID: r.byID, history: NewHistory(),
		seed: r.seed, at: map[place]position{}, marks: map[place]position{},
	}
}

// Again returns a reader that reads everything once more and compares it with what
// this one has read; differences show in its history's check.
func (r *Reader) Again() *Reader {
	again := r.Empty()
	again.marks = r.at
	return again
}

// Read reads every topic, other than internal ones, up to its present end.
func (r *Reader) Read(ctx context.Context) error {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(r.cfg.Brokers...), kgo.ClientID("orderflow-verify"),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.FetchMaxWait(100 * time.Millisecond), kgo.MetadataMinAge(50 * time.Millisecond),
	}, r.cfg.ClientOptions...)...)
	if err != nil {
		return fmt.Errorf("setting up the Kafka client: %w", err)
	}
	defer client.Close()
	open, err := r.resolve(ctx, kadm.NewClient(client))
	if err != nil {
		return fmt.Errorf("looking up the topics' ends: %w", err)
	}
	from := map[string]map[int32]kgo.Offset{}
	for p := range open {
		if from[p.topic] == nil {
			from[p.topic] = map[int32]kgo.Offset{}
		}
		from[p.topic][p.partition] = kgo.NewOffset().At(r.at[p].next)
	}
	client.AddConsumePartitions(from)
	for len(open) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("reading %d partitions to their ends: %w", len(open), err)
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("reading %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			p := place{rec.Topic, rec.Partition}
			if end, ok := open[p]; !ok || rec.Offset >= end {
				delete(open, p)
				continue
			}
			if err := r.Take(ctx, rec); err != nil {
				return fmt.Errorf("reading %s partition %d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
			}
			if rec.Offset+1 >= open[p] {
				delete(open, p)
			}
		}
	}
	return nil
}

// resolve returns the end of each partition that has something new. A partition that
// ends before what was read of it has lost it.
func (r *Reader) resolve(ctx context.Context, admin *kadm.Client) (map[place]int64, error) {
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range topics {
		if !strings.HasPrefix(t.Topic, "_") && (!r.cfg.KnownTopics || slices.Contains(knownTopics, t.Topic)) {
			names = append(names, t.Topic)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	starts, err := admin.ListStartOffsets(ctx, names...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, err
	}
	starts.Each(func(start kadm.ListedOffset) { r.skip(place{start.Topic, start.Partition}, start.Offset) })
	ends, err := admin.ListCommittedOffsets(ctx, names...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	open := map[place]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		p := place{end.Topic, end.Partition}
		if end.Offset < r.at[p].next || end.Offset < r.marks[p].next {
			r.changed(p, end.Offset, "the partition ends here and was longer before")
			return
		}
		if end.Offset > r.at[p].next {
			open[p] = end.Offset
		}
	})
	for p, mark := range r.marks {
		if _, ok := ends.Lookup(p.topic, p.partition); !ok && mark.next > 0 {
			r.changed(p, 0, "the partition is gone")
		}
	}
	return open, nil
}

// skip notes that a partition has lost what was there before an offset.
func (r *Reader) skip(p place, start int64) {
	if pos := r.at[p]; pos.next < start {
		r.history.incomplete[p.topic] = true
		r.at[p] = position{start, pos.digest}
	}
}

func (r *Reader) changed(p place, offset int64, what string) {
	r.history.changed = append(r.history.changed, Finding{RuleUnchanged, fmt.Sprintf("%s partition %d offset %d", p.topic, p.partition, offset), what})
}

// Take adds a record to the history that was read in another way. The records of a
// partition come in order; one that is there is left out.
func (r *Reader) Take(ctx context.Context, rec *kgo.Record) error {
	p := place{rec.Topic, rec.Partition}
	pos := r.at[p]
	if rec.Offset < pos.next {
		return nil
	}
	if rec.Offset > pos.next {
		r.history.incomplete[rec.Topic] = true
	}
	var h maphash.Hash
	h.SetSeed(r.seed)
	var number [8]byte
	for _, n := range []uint64{pos.digest, uint64(rec.Offset), uint64(rec.Timestamp.UnixMilli())} {
		binary.BigEndian.PutUint64(number[:], n)
		_, _ = h.Write(number[:]) // never fails
	}
	_, _ = h.Write(rec.Key)
	_ = h.WriteByte(0)
	_, _ = h.Write(rec.Value)
	pos = position{rec.Offset + 1, h.Sum64()}
	r.at[p] = pos
	if mark, ok := r.marks[p]; ok && mark.next == pos.next && mark.digest != pos.digest {
		r.changed(p, rec.Offset, "something up to here is not what was read before")
	}
	if rec.Attrs.IsControl() {
		return nil
	}
	if r.cfg.Rubbish != nil && r.cfg.Rubbish(rec) {
		r.history.rubbish++
		return nil
	}
	for _, header := range rec.Headers {
		if header.Key == seqHeader {
			r.history.number(rec.Topic, rec.Partition, rec.Offset, string(header.Value))
		}
	}
	return r.history.strange(rec, r.decode(ctx, rec))
}

// decode adds a record to the list of its topic.
func (r *Reader) decode(ctx context.Context, rec *kgo.Record) error {
	h := r.history
	switch rec.Topic {
	case "orders.v1":
		return add(ctx, r, rec, &h.Orders)
	case "order-states.v1":
		return add(ctx, r, rec, &h.States)
	case "orders-new.v1":
		return add(ctx, r, rec, &h.New)
	case "order-validations.v1":
		return add(ctx, r, rec, &h.Validations)
	case "payments.v1":
		return add(ctx, r, rec, &h.Payments)
	case "customers":
		return add(ctx, r, rec, &h.Customers)
	case "fraud-totals.v1":
		if rec.Value == nil {
			return nil // the row of a session that was merged
		}
		return add(ctx, r, rec, &h.FraudTotals)
	case "inventory-ledger.v1":
		e, err := value[LedgerEntry](ctx, r, rec)
		if err != nil {
			return err
		}
		if why := e.odd(string(rec.Key)); why != "" {
			return &foreign{reason: why}
		}
		h.Ledger = append(h.Ledger, record(rec, e))
		return nil
	case "orders-by-product.v1":
		return add(ctx, r, rec, &h.ByProduct)
	case "orders-enriched.v1":
		return add(ctx, r, rec, &h.Enriched)
	case "emails.v1":
		return add(ctx, r, rec, &h.Emails)
	case "email-ledger.v1":
		return add(ctx, r, rec, &h.Emailed)
	case "email-dead-letters.v1":
		return add(ctx, r, rec, &h.DeadLetters)
	case "platinum", "gold", "silver", "bronze":
		list := h.Levels[rec.Topic]
		err := add(ctx, r, rec, &list)
		h.Levels[rec.Topic] = list
		return err
	case "warehouse-inventory.v1":
		var units int32
		switch {
		case len(rec.Key) == 0:
			return &foreign{reason: "it names no product"}
		case len(rec.Value) == 4:
			units = int32(binary.BigEndian.Uint32(rec.Value))
		case rec.Value != nil:
			return &foreign{reason: fmt.Sprintf("its value has %d bytes instead of 4", len(rec.Value))}
		}
		h.Warehouse = append(h.Warehouse, record(rec, Units{units}))
		return nil
	default:
		if h.Keys[rec.Topic] == nil {
			h.Keys[rec.Topic] = map[string]int{}
		}
		h.Keys[rec.Topic][string(rec.Key)]++
		return nil
	}
}

func record[V any](rec *kgo.Record, value V) Record[V] {
	return Record[V]{Partition: rec.Partition, Offset: rec.Offset, Time: rec.Timestamp.UnixMilli(), Key: string(rec.Key), Value: value}
}

func add[V any](ctx context.Context, r *Reader, rec *kgo.Record, list *[]Record[V]) error {
	v, err := value[V](ctx, r, rec)
	if err == nil {
		*list = append(*list, record(rec, v))
	}
	return err
}

// schemaCache keeps parsed schemas by id. Several readers may share one.
type schemaCache struct {
	mu   sync.Mutex
	byID map[int]*writer // guarded by mu
}

func (r *Reader) schema(ctx context.Context, id int) (*writer, error) {
	r.byID.mu.Lock()
	defer r.byID.mu.Unlock()
	if s := r.byID.byID[id]; s != nil {
		return s, nil
	}
	text, err := r.schemas.SchemaByID(ctx, id)
	if err != nil {
		return nil, foreignSchema(id, err)
	}
	if text.Type != sr.TypeAvro {
		return nil, &foreign{reason: fmt.Sprintf("the type of its schema %d is %s", id, text.Type)}
	}
	parsed, err := avro.Parse(text.Schema)
	if err != nil {
		return nil, &foreign{reason: fmt.Sprintf("parsing its schema %d: %v", id, err)}
	}
	if r.byID.byID == nil {
		r.byID.byID = map[int]*writer{}
	}
	s := newWriter(parsed)
	r.byID.byID[id] = s
	return s, nil
}
