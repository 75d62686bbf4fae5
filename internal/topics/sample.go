package topics

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
)

// Record is one record of a topic in a form for people.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Time      time.Time
	// Key and Value are the decoded forms; "null" for nothing.
	Key, Value string
}

// Sampler reads the newest records of topics.
type Sampler struct {
	client   *kgo.Client
	admin    *kadm.Client
	registry *kafka.Registry
	config   kafka.Config
}

// NewSampler returns a sampler of a cluster. Values in the registry's wire
// format are decoded with their schema. Close ends it.
func NewSampler(cfg kafka.Config) (*Sampler, error) {
	client, err := kafka.NewClient(cfg)
	if err != nil {
		return nil, err
	}
	registry, err := kafka.NewRegistry(cfg)
	if err != nil {
		client.Close()
		return nil, err
	}
	return &Sampler{client: client, admin: kadm.NewClient(client), registry: registry, config: cfg}, nil
}

// Close releases the connections.
func (s *Sampler) Close() { s.client.Close() }

// Topics lists the topics of the cluster by name, without internal ones (those
// of brokers, and those whose name begins with an underscore).
func (s *Sampler) Topics(ctx context.Context) ([]string, error) {
	details, err := s.admin.ListTopics(kadm.WithAuthorizedOps(ctx))
	if err != nil {
		return nil, fmt.Errorf("listing the topics: %w", err)
	}
	var names []string
	for _, name := range details.Names() {
		if !strings.HasPrefix(name, "_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Sample reads up to n of the newest records of each partition of a topic and
// returns the newest n of them all, oldest first.
func (s *Sampler) Sample(ctx context.Context, topic string, n int) ([]Record, error) {
	starts, err := s.admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("reading where topic %s begins: %w", topic, err)
	}
	ends, err := s.admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("reading where topic %s ends: %w", topic, err)
	}
	from, until := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		start, ok := starts.Lookup(topic, end.Partition)
		if !ok || start.Offset >= end.Offset {
			return
		}
		from[end.Partition] = kgo.NewOffset().At(max(start.Offset, end.Offset-int64(n)))
		until[end.Partition] = end.Offset
	})
	raw, err := s.read(ctx, topic, from, until)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(raw, func(a, b *kgo.Record) int {
		if c := a.Timestamp.Compare(b.Timestamp); c != 0 {
			return c
		}
		return int(a.Offset - b.Offset)
	})
	raw = raw[max(0, len(raw)-n):]
	records := make([]Record, 0, len(raw))
	for _, r := range raw {
		records = append(records, Record{
			Topic: topic, Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp,
			Key: s.decode(ctx, r.Key), Value: s.decode(ctx, r.Value),
		})
	}
	return records, nil
}

// read gets the records from the given offsets until the given ends.
func (s *Sampler) read(ctx context.Context, topic string, from map[int32]kgo.Offset, until map[int32]int64) ([]*kgo.Record, error) {
	if len(from) == 0 {
		return nil, nil
	}
	// Transaction markers take offsets that no record has: control records show
	// how far the reading is.
	consumer, err := kafka.NewClient(s.config,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	var records []*kgo.Record
	for len(until) > 0 {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, fmt.Errorf("reading topic %s: %w", topic, err)
		}
		if errs := fetches.Errors(); len(errs) > 0 {
			return nil, fmt.Errorf("reading topic %s, partition %d: %w", topic, errs[0].Partition, errs[0].Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
			if end, ok := until[r.Partition]; ok && r.Offset >= end-1 {
				delete(until, r.Partition)
			}
		})
	}
	return records, nil
}

// decode gives a key or value in a form for people: by its schema, or as text,
// number or window where its bytes look like one, else as hexadecimal digits.
func (s *Sampler) decode(ctx context.Context, data []byte) string {
	if data == nil {
		return "null"
	}
	id, payload, err := kafka.SchemaID(data)
	if err != nil || id == 0 {
		return guess(data)
	}
	schema, err := s.registry.Schema(ctx, id)
	if err != nil {
		// Eight bytes of a number begin with a zero byte as well.
		if g := guess(data); !strings.HasPrefix(g, "0x") {
			return g
		}
		return fmt.Sprintf("0x%s (%v)", hex.EncodeToString(data), err)
	}
	var v any
	if rest, err := schema.Decode(payload, &v); err != nil || len(rest) > 0 {
		return guess(data)
	}
	text, err := schema.EncodeJSON(v, avro.LinkedinFloats())
	if err != nil {
		return guess(data)
	}
	return string(text)
}

// guess names what bytes without a schema probably are.
func guess(data []byte) string {
	if len(data) == 0 {
		return `""`
	}
	if printable(data) {
		if json.Valid(data) {
			return string(data)
		}
		return fmt.Sprintf("%q", data)
	}
	switch len(data) {
	case 4:
		return fmt.Sprint(int32(binary.BigEndian.Uint32(data)))
	case 8:
		return fmt.Sprint(int64(binary.BigEndian.Uint64(data)))
	}
	if text, err := guessWindowed(data); err == nil {
		return text
	}
	return "0x" + hex.EncodeToString(data)
}

var errNoWindow = errors.New("not the key of a window")

// guessWindowed reads the key of a windowed table: the key, and 8 bytes for the
// start of a time window, or 8 each for the end and start of a session.
func guessWindowed(data []byte) (string, error) {
	for _, bounds := range []int{2, 1} {
		cut := len(data) - 8*bounds
		if cut < 1 {
			continue
		}
		var times []string
		for at := cut; at < len(data); at += 8 {
			ms := binary.BigEndian.Uint64(data[at:])
			if ms > math.MaxInt64 {
				break
			}
			t := time.UnixMilli(int64(ms)).UTC()
			if t.Year() < 2000 || t.Year() > 2200 {
				break
			}
			times = append(times, t.Format(time.RFC3339Nano))
		}
		if len(times) == bounds {
			return fmt.Sprintf("%s [%s]", guess(data[:cut]), strings.Join(times, ", ")), nil
		}
	}
	return "", errNoWindow
}

func printable(data []byte) bool {
	if !utf8.Valid(data) {
		return false
	}
	for _, r := range string(data) {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' && r != '\r' {
			return false
		}
	}
	return true
}
