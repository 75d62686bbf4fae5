package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// sendRubbish opens connections to all ports and sends what no client would, until ctx
// ends. Some of the connections stay open until then.
func sendRubbish(ctx context.Context, random *rand.Rand, addresses map[string]string) {
	var open []net.Conn
	defer func() {
		for _, conn := range open {
			_ = conn.Close()
		}
	}()
	names := slices.Sorted(maps.Keys(addresses))
	for ctx.Err() == nil && len(open) < 200 {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addresses[names[random.IntN(len(names))]])
		rubbish := drawRubbish(random)
		stays := random.IntN(4) == 0
		if err == nil {
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = conn.Write(rubbish) // whoever gets it may hang up
			if stays {
				open = append(open, conn)
			} else {
				_ = conn.Close()
			}
		}
		waitFor(ctx, time.Duration(random.IntN(20))*time.Millisecond)
	}
}

func randomBytes(random *rand.Rand, most int) []byte {
	b := make([]byte, 1+random.IntN(most))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// drawRubbish draws what no client would send.
func drawRubbish(random *rand.Rand) []byte {
	switch random.IntN(9) {
	case 0:
		return []byte("GET /v1/orders/o-1 HTT")
	case 1:
		return []byte("POST /v1/orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n{\"id\":\"")
	case 2:
		return []byte("POST /ksql HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n{")
	case 3: // a message of Kafka's protocol of 2 GB, and one of less than nothing
		return binary.BigEndian.AppendUint32(nil, []uint32{0x7fffffff, 0xffffffff, 0x80000000}[random.IntN(3)])
	case 4: // a request that Kafka does not have, or whose body makes no sense
		body := binary.BigEndian.AppendUint16(nil, uint16(random.IntN(100)))
		body = binary.BigEndian.AppendUint16(body, uint16(random.IntN(16)))
		body = append(body, randomBytes(random, 100)...)
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	case 5: // the beginning of a message that does not go on
		return append([]byte{0, 0, 1, 0, 0, 0, 0, 9}, randomBytes(random, 50)...)
	case 6:
		return append([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, randomBytes(random, 200)...) // TLS
	case 7:
		return []byte("PUT /connectors/orders.v1/config HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n{{{{{")
	default:
		return randomBytes(random, 4096)
	}
}

// poisonHeader marks the records that are written to be passed over.
const poisonHeader = "crash-test-poison"

func isPoison(rec *kgo.Record) bool {
	return slices.ContainsFunc(rec.Headers, func(h kgo.RecordHeader) bool { return h.Key == poisonHeader })
}

// poisonedTopics are those that users may write to.
var poisonedTopics = []string{"orders.v1", "payments.v1", "warehouse-inventory.v1", "customers"}

// poison writes records that make no sense to the topics that users may write to, with
// a client of its own, and returns how many were acknowledged.
func (s *crashStack) poison(ctx context.Context, random *rand.Rand) int64 {
	ctx, cancel := context.WithTimeout(ctx, servedWithin)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.address["kafka"]), kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		return 0
	}
	defer client.Close()
	acknowledged := int64(0)
	for range 1 + random.IntN(6) {
		for _, topic := range poisonedTopics {
			id, err := s.schemaID(ctx, topic)
			rec := drawPoison(random, topic, id)
			if err == nil && client.ProduceSync(ctx, rec).FirstErr() == nil {
				acknowledged++
			}
		}
		waitFor(ctx, time.Duration(random.IntN(100))*time.Millisecond)
	}
	return acknowledged
}

// drawPoison draws a record that makes no sense in its topic, whose values have the
// schema with an id.
func drawPoison(random *rand.Rand, topic string, id uint32) *kgo.Record {
	encoded := func(id uint32, payload ...byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{0}, id), payload...)
	}
	values := [][]byte{
		{}, []byte("rubbish"), append([]byte{1}, randomBytes(random, 90)...), []byte(`{"id":"o-1","state":"CREATED"}`),
		{0}, {0, 0, 0}, // too short for a schema's id
		encoded(0x7ffffff0, 2, 2, 2), // a schema that nobody has registered
		encoded(id),                  // of the right schema, and it ends before its first field,
		encoded(id, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), // has a number that is too long,
		encoded(id, 0xfe, 0xff, 0xff, 0xff, 0x0f, 'o'),                          // or a text of 2 GB
	}
	keys := [][]byte{[]byte(fmt.Sprintf("poison-%d", random.IntN(1000))), nil, {}, {0xff, 0xfe, 0}, []byte("JUMPERS"), binary.BigEndian.AppendUint64(nil, firstCustomer)}
	rec := &kgo.Record{
		Topic: topic, Key: keys[random.IntN(len(keys))], Value: values[random.IntN(len(values))],
		Headers: []kgo.RecordHeader{{Key: poisonHeader}},
	}
	if topic == "warehouse-inventory.v1" && len(rec.Value) == 4 {
		rec.Value = append(rec.Value, 0) // four bytes are a number of units
	}
	return rec
}

// schemaID returns the id of the newest schema of a topic's values, 0 where it has none.
func (s *crashStack) schemaID(ctx context.Context, topic string) (uint32, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url("schema-registry")+"/subjects/"+topic+"-value/versions/latest", nil)
	if err != nil {
		return 0, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return 0, nil
	}
	var schema struct{ ID uint32 }
	if err := json.NewDecoder(resp.Body).Decode(&schema); err != nil {
		return 0, fmt.Errorf("reading the schema of %s: %w", topic, err)
	}
	return schema.ID, nil
}
