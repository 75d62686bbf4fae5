package broker_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
	"github.com/orderflow/orderflow/internal/embedded/broker/batch/batchtest"
	"github.com/orderflow/orderflow/internal/embedded/broker/requests"
	"github.com/orderflow/orderflow/internal/embedded/broker/requesttest"
)

// control is the topic that absurd requests don't name.
const control = "control"

// peer speaks the protocol over one connection, request by request.
type peer struct{ conn net.Conn }

func newPeer(t testing.TB, addr string) *peer {
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	return &peer{conn: conn}
}

func encode(req kmsg.Request) []byte {
	frame := head(0, req.Key(), req.GetVersion())
	if req.IsFlexible() {
		frame = append(frame, 0)
	}
	frame = req.AppendTo(frame)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

// ask sends a request and reads its answer into it, within a time.
func (p *peer) ask(req kmsg.Request, within time.Duration) (kmsg.Response, error) {
	if err := p.conn.SetDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	if _, err := p.conn.Write(encode(req)); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(p.conn, size[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(p.conn, answer); err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	answer = answer[4:]
	if resp.IsFlexible() && req.Key() != kmsg.ApiVersions.Int16() {
		answer = answer[1:]
	}
	if err := resp.ReadFrom(answer); err != nil {
		return nil, fmt.Errorf("decoding an answer to %s version %d: %w", kmsg.NameForKey(req.Key()), req.GetVersion(), err)
	}
	return resp, nil
}

func (p *peer) create(t testing.TB, topic string, partitions int32) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = 4
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, partitions, 1
	req.Topics = append(req.Topics, rt)
	_, err := p.ask(req, 10*time.Second)
	require.NoError(t, err)
}

// produce writes a batch to a topic's first partition and gives its offset.
func (p *peer) produce(topic string, b batch.Batch) (int64, error) {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 9, -1, 1000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Records = b
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := p.ask(req, 10*time.Second)
	if err != nil {
		return 0, err
	}
	got := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	return got.BaseOffset, kerr.ErrorForCode(got.ErrorCode)
}

// fetch reads the batches of a partition from an offset on; the offset is -1 for
// the beginning.
func (p *peer) fetch(topic string, partition int32, offset int64) (raw []byte, next int64, err error) {
	if offset < 0 {
		req := kmsg.NewPtrListOffsetsRequest()
		req.Version = 5
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = topic
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = partition, -2
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		resp, err := p.ask(req, 10*time.Second)
		if err != nil {
			return nil, 0, err
		}
		got := resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
			return nil, 0, err
		}
		offset = got.Offset
	}
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes = 11, 1<<30
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = partition, offset, 1<<30
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := p.ask(req, 10*time.Second)
	if err != nil {
		return nil, 0, err
	}
	got := resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
	return got.RecordBatches, offset, kerr.ErrorForCode(got.ErrorCode)
}

// sound checks that a partition can be read from its beginning to its end. The
// beginning may lie within a batch, since records can be deleted up to any offset.
func (p *peer) sound(topic string, partition int32) (records int64, err error) {
	offset, start := int64(-1), int64(-1)
	for {
		raw, from, err := p.fetch(topic, partition, offset)
		if err != nil || len(raw) == 0 {
			return records, err
		}
		if start < 0 {
			start = from
		}
		offset = from
		for len(raw) > 0 {
			b, rest, err := batch.Cut(raw)
			if err == nil {
				err = b.CheckCRC()
			}
			if err == nil && (b.BaseOffset() != offset && offset != start || b.BaseOffset() > offset || b.LastOffset() < offset) {
				err = fmt.Errorf("a batch of offsets %d to %d where %d was next", b.BaseOffset(), b.LastOffset(), offset)
			}
			if err != nil {
				return records, err
			}
			offset = b.LastOffset() + 1
			records += int64(b.NumRecords())
			raw = rest
		}
	}
}

// topics gives the names and partitions of all topics.
func (p *peer) topics(t testing.TB) map[string]int {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 5
	resp, err := p.ask(req, 10*time.Second)
	require.NoError(t, err)
	topics := map[string]int{}
	for _, rt := range resp.(*kmsg.MetadataResponse).Topics {
		topics[*rt.Topic] = len(rt.Partitions)
	}
	return topics
}

// delete deletes topics, a few requests' worth at a time.
func (p *peer) delete(t testing.TB, topics []string) {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TopicNames = 3, topics
	_, err := p.ask(req, 30*time.Second)
	require.NoError(t, err)
}

// absurdRequests makes well-formed requests of bytes.
func absurdRequests(data []byte) []kmsg.Request {
	apis := requests.New(requests.Config{}).APIs()
	s := requesttest.NewSource(data, "orders", "orders", "g", "consumer", "range", "", "retention.ms", "-1", "cleanup.policy", "1")
	var all []kmsg.Request
	for len(all) < 6 && !s.Empty() {
		api := apis[int(s.Byte())%len(apis)]
		req := kmsg.RequestForKey(api.Key.Int16())
		req.SetVersion(api.Min + int16(s.Byte())%(api.Max-api.Min+1))
		requesttest.Fill(req, s, func(structure, field string) []byte {
			if structure != "ProduceRequestTopicPartition" || field != "Records" || s.Byte()&3 == 0 {
				return nil
			}
			return absurdBatch(s)
		})
		// What may wait is not waited for long here, and a few files are enough.
		switch req := req.(type) {
		case *kmsg.FetchRequest:
			req.MaxWaitMillis = min(req.MaxWaitMillis, 5)
		case *kmsg.CreateTopicsRequest:
			for i := range req.Topics {
				req.Topics[i].NumPartitions = min(req.Topics[i].NumPartitions, 8)
			}
		case *kmsg.CreatePartitionsRequest:
			for i := range req.Topics {
				req.Topics[i].Count = min(req.Topics[i].Count, 12)
			}
		}
		all = append(all, req)
	}
	return all
}

// absurdBatch makes a batch, mostly with one byte of its header changed and the
// checksum right all the same.
func absurdBatch(s *requesttest.Source) batch.Batch {
	from := batchtest.None
	if s.Byte()&1 == 0 {
		from = batchtest.Producer{ID: int64(s.Byte() % 4), Epoch: int16(s.Byte() % 2), Sequence: int32(s.Byte() % 8)}
	}
	records := make([]batchtest.Record, 1+s.Byte()%3)
	for i := range records {
		records[i] = batchtest.Record{Key: []byte{s.Byte()}, Value: []byte("value"), Timestamp: int64(s.Byte()) << (s.Byte() % 56)}
	}
	b := batchtest.Make(from, records...)
	if s.Byte()&1 == 0 {
		b[int(s.Byte())%len(b)] = s.Byte()
		batchtest.Seal(b)
	}
	return b
}

// absurd is a broker that gets absurd requests.
type absurd struct {
	brk     *broker.Broker
	peer    *peer
	logged  *syncBuffer
	written int64 // records in the topic control
}

func newAbsurd(t testing.TB, dir string) *absurd {
	a := &absurd{logged: &syncBuffer{}}
	var err error
	a.brk, err = broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: dir, FreeSpaceMargin: -1,
		Logger: slog.New(slog.NewTextHandler(a.logged, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	require.NoError(t, err)
	require.NoError(t, a.brk.Start(context.Background())) // also in a cleanup
	a.peer = newPeer(t, a.brk.Addr())
	return a
}

// run sends the requests that some bytes make, and checks that the broker works
// as before.
func (a *absurd) run(t testing.TB, data []byte) {
	p := newPeer(t, a.brk.Addr())
	defer p.conn.Close()
	for _, req := range absurdRequests(data) {
		_, err := p.ask(req, 50*time.Millisecond)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded): // it waits for members of a group
			_ = p.conn.Close()
			p = newPeer(t, a.brk.Addr())
		case err != nil && (errors.Is(err, kerr.UnknownServerError) || strings.Contains(err.Error(), "decoding")):
			t.Errorf("%s version %d: %v", kmsg.NameForKey(req.Key()), req.GetVersion(), err)
		case err != nil: // the broker closed the connection
			_ = p.conn.Close()
			p = newPeer(t, a.brk.Addr())
		}
	}
	offset, err := a.peer.produce(control, batchtest.Make(batchtest.None, batchtest.Record{Value: data, Timestamp: 1}))
	require.NoError(t, err)
	assert.Equal(t, a.written, offset)
	a.written++
	raw, _, err := a.peer.fetch(control, 0, offset)
	require.NoError(t, err)
	b, rest, err := batch.Cut(raw)
	require.NoError(t, err)
	assert.Empty(t, rest)
	assert.NoError(t, b.CheckCRC())
	require.NotContains(t, a.logged.String(), "handling a request failed", "a panic")
	require.NotContains(t, a.logged.String(), "damage")
	topics := a.peer.topics(t)
	if n := topics["orders"]; n > 0 {
		_, err := a.peer.sound("orders", 0)
		assert.NoError(t, err)
	}
	if len(topics) > 20 {
		delete(topics, control)
		var names []string
		for name := range topics {
			names = append(names, name)
		}
		a.peer.delete(t, names)
	}
}

// stop stops the broker; its data is what another one finds.
func (a *absurd) stop(t testing.TB, dir string) {
	_ = a.peer.conn.Close()
	require.NoError(t, a.brk.Stop())
	again := newAbsurd(t, dir)
	defer func() {
		_ = again.peer.conn.Close()
		require.NoError(t, again.brk.Stop())
	}()
	for topic, partitions := range again.peer.topics(t) {
		for partition := range partitions {
			n, err := again.peer.sound(topic, int32(partition))
			assert.NoError(t, err, "%s-%d", topic, partition)
			if topic == control {
				assert.Equal(t, a.written, n)
			}
		}
	}
	assert.NotContains(t, again.logged.String(), "damage")
}

// FuzzHandlers sends requests that are well formed and make no sense. The broker
// never panics, goes on to work, and what it stored can be read, also after it was
// stopped and started again.
func FuzzHandlers(f *testing.F) {
	for i := range 26 {
		f.Add([]byte{byte(i), 255, 1, 2, 3, 4, 5, 6, 7, 128, 129, 130, 131, 132, 133, 134, 135, 136, 1, 1, 1, 1, 1, 1, 1, 1})
		f.Add([]byte{19, 1, 1, 0, 0, 0, byte(i), 4, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 141, 142, 128})
	}
	dir := f.TempDir()
	a := newAbsurd(f, dir)
	a.peer.create(f, control, 1)
	a.peer.create(f, "orders", 1)
	f.Cleanup(func() { a.stop(f, dir) })
	f.Fuzz(func(t *testing.T, data []byte) { a.run(t, data) })
}

func TestRequestsThatAskForTooMuch(t *testing.T) {
	b := start(t, broker.Config{MaxFrameBytes: 1 << 20})
	p := newPeer(t, b.Addr())
	defer p.conn.Close()
	p.create(t, "orders", 4)

	t.Run("one topic many times", func(t *testing.T) {
		req := kmsg.NewPtrMetadataRequest()
		req.Version = 9
		configs := kmsg.NewPtrDescribeConfigsRequest()
		configs.Version = 4
		groups := kmsg.NewPtrDescribeGroupsRequest()
		groups.Version = 5
		for range 1000 {
			req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: kmsg.StringPtr("orders")})
			configs.Resources = append(configs.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "orders"})
			groups.Groups = append(groups.Groups, "g")
		}
		resp, err := p.ask(req, 10*time.Second)
		require.NoError(t, err)
		assert.Len(t, resp.(*kmsg.MetadataResponse).Topics, 1)
		resp, err = p.ask(configs, 10*time.Second)
		require.NoError(t, err)
		assert.Len(t, resp.(*kmsg.DescribeConfigsResponse).Resources, 1)
		resp, err = p.ask(groups, 10*time.Second)
		require.NoError(t, err)
		assert.Len(t, resp.(*kmsg.DescribeGroupsResponse).Groups, 1)
	})
	t.Run("a setting of half a megabyte", func(t *testing.T) {
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		req.Version = 1
		value := strings.Repeat("1:1,", 100_000)
		req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "orders",
			Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "leader.replication.throttled.replicas", Op: kmsg.IncrementalAlterConfigOpAppend, Value: &value}}}}
		resp, err := p.ask(req, 10*time.Second)
		require.NoError(t, err)
		got := resp.(*kmsg.IncrementalAlterConfigsResponse).Resources[0]
		assert.Equal(t, kerr.InvalidConfig.Code, got.ErrorCode)
		assert.Less(t, len(*got.ErrorMessage), 1000)
	})
	t.Run("a member with a thousand protocols", func(t *testing.T) {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version, req.Group, req.SessionTimeoutMillis, req.ProtocolType = 3, "g", 10_000, "consumer"
		for i := range 1000 {
			req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: fmt.Sprint(i)})
		}
		resp, err := p.ask(req, 10*time.Second)
		require.NoError(t, err)
		assert.Equal(t, kerr.InvalidRequest.Code, resp.(*kmsg.JoinGroupResponse).ErrorCode)
	})
	t.Run("lists that take more than a request may", func(t *testing.T) {
		var logged syncBuffer
		small := start(t, broker.Config{MaxFrameBytes: 10 << 20, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		p := newPeer(t, small.Addr())
		defer p.conn.Close()
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Version = 5
		req.Groups = make([]string, 9<<20)
		_, err := p.ask(req, 10*time.Second)
		require.Error(t, err)
		require.Eventually(t, func() bool { return strings.Contains(logged.String(), "once it is decoded") }, 10*time.Second, time.Millisecond)
	})
}
