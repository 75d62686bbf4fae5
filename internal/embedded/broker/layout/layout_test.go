package layout_test

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/layout"
	"github.com/orderflow/orderflow/internal/embedded/broker/requests"
	"github.com/orderflow/orderflow/internal/embedded/broker/requesttest"
	"github.com/orderflow/orderflow/internal/embedded/broker/wire"
)

// served are the requests that the broker answers, in all their versions.
func served() []wire.API {
	return append(requests.New(requests.Config{}).APIs(),
		wire.API{Key: kmsg.ApiVersions, Min: 0, Max: 4},
		wire.API{Key: kmsg.SASLHandshake, Min: 0, Max: 1},
		wire.API{Key: kmsg.SASLAuthenticate, Min: 0, Max: 2})
}

func newRequest(key kmsg.Key, version int16) kmsg.Request {
	req := kmsg.RequestForKey(key.Int16())
	req.SetVersion(version)
	return req
}

func TestEverythingServedHasALayout(t *testing.T) {
	for _, api := range served() {
		assert.True(t, layout.Known(api.Key), api.Key.Name())
	}
	_, err := layout.Walk(kmsg.Key(9999), 0, nil)
	assert.Error(t, err)
}

// Whatever the encoder makes is whole, and is not when its last byte is missing:
// so the walk has come to its very end.
func TestWalkKnowsTheLayoutOfEveryVersion(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, api := range served() {
		for version := api.Min; version <= api.Max; version++ {
			for range 200 {
				seed := make([]byte, random.IntN(400))
				for i := range seed {
					seed[i] = byte(random.Uint32())
				}
				req := newRequest(api.Key, version)
				requesttest.Fill(req, requesttest.NewSource(seed, "orders", "g"), nil)
				body := req.AppendTo(nil)
				_, err := layout.Walk(api.Key, version, body)
				require.NoError(t, err, "%s version %d", api.Key.Name(), version)
				if len(body) > 0 {
					_, err = layout.Walk(api.Key, version, body[:len(body)-1])
					require.Error(t, err, "%s version %d, cut", api.Key.Name(), version)
				}
			}
		}
	}
}

func TestWhatIsAnnouncedMustBeThere(t *testing.T) {
	const many = 50_000_000
	rest := make([]byte, many) // as if the frame were large enough
	list := binary.BigEndian.AppendUint32(nil, many)
	compact := binary.AppendUvarint(nil, many+1)
	for name, c := range map[string]struct {
		key     kmsg.Key
		version int16
		body    []byte
	}{
		"topics":         {kmsg.Metadata, 1, append(list, rest[:1<<20]...)},
		"compact topics": {kmsg.Metadata, 9, append(compact, rest[:1<<20]...)},
		"groups":         {kmsg.DescribeGroups, 0, append(list, rest[:1<<20]...)},
		"partitions":     {kmsg.DeleteRecords, 0, append([]byte{0, 0, 0, 1, 0, 0}, append(list, rest[:1<<20]...)...)},
		"tags":           {kmsg.Metadata, 9, []byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}},
		"tags in a tag":  {kmsg.Fetch, 12, append(append(make([]byte, 25), 1, 1, 1), 1, 1, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x0f)},
	} {
		_, err := layout.Walk(c.key, c.version, c.body)
		assert.Error(t, err, name)
	}
	_, _, err := layout.Header([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f}, true)
	assert.Error(t, err, "tags of a header")
	cost, err := layout.Walk(kmsg.DescribeGroups, 5, append(binary.AppendUvarint(nil, 100_001), make([]byte, 100_100)...))
	require.NoError(t, err, "names of no length")
	assert.GreaterOrEqual(t, cost, int64(1_600_000), "are headers of strings all the same")
}

// decode walks over a body and, if it is whole, has it decoded. It returns what
// that allocated and what the walk said it would.
func decode(t *testing.T, key kmsg.Key, version int16, body []byte) (allocated, cost int64) {
	cost, err := layout.Walk(key, version, body)
	if err != nil {
		return 0, 0
	}
	req := newRequest(key, version)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = req.ReadFrom(body)
	runtime.ReadMemStats(&after)
	if err == nil && len(body) > 0 {
		_ = req.AppendTo(nil) // what was decoded can be encoded
	}
	return int64(after.TotalAlloc - before.TotalAlloc), cost
}

// fuzz has bodies decoded as each of some kinds of requests in all their versions.
func fuzz(f *testing.F, keys ...kmsg.Key) {
	wanted := map[kmsg.Key]bool{}
	for _, key := range keys {
		wanted[key] = true
	}
	var apis []wire.API
	for _, api := range served() {
		if wanted[api.Key] {
			apis = append(apis, api)
			for _, version := range []int16{api.Min, api.Max} {
				req := newRequest(api.Key, version)
				requesttest.Fill(req, requesttest.NewSource([]byte("a request with something in each of its fields, more or less")), nil)
				f.Add(req.AppendTo(nil))
			}
		}
	}
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, api := range apis {
			for version := api.Min; version <= api.Max; version++ {
				allocated, cost := decode(t, api.Key, version, body)
				// Other goroutines of the test allocate, too.
				if limit := cost + cost/4 + 64<<10; allocated > limit {
					t.Errorf("%s version %d: decoding %d bytes allocated %d, the walk said %d", api.Key.Name(), version, len(body), allocated, cost)
				}
			}
		}
	})
}

func FuzzRecords(f *testing.F) {
	fuzz(f, kmsg.Produce, kmsg.Fetch, kmsg.DeleteRecords, kmsg.InitProducerID)
}

func FuzzOffsets(f *testing.F) {
	fuzz(f, kmsg.ListOffsets, kmsg.OffsetCommit, kmsg.OffsetFetch, kmsg.OffsetDelete, kmsg.OffsetForLeaderEpoch)
}

func FuzzGroups(f *testing.F) {
	fuzz(f, kmsg.FindCoordinator, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.LeaveGroup, kmsg.DescribeGroups, kmsg.ListGroups, kmsg.DeleteGroups)
}

func FuzzTopics(f *testing.F) {
	fuzz(f, kmsg.Metadata, kmsg.CreateTopics, kmsg.DeleteTopics, kmsg.CreatePartitions, kmsg.DescribeLogDirs)
}

func FuzzCluster(f *testing.F) {
	fuzz(f, kmsg.DescribeConfigs, kmsg.AlterConfigs, kmsg.IncrementalAlterConfigs, kmsg.DescribeCluster, kmsg.ApiVersions, kmsg.SASLHandshake, kmsg.SASLAuthenticate)
}
