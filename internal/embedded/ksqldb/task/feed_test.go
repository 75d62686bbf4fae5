package task

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
)

func at(topic string, offset, millis int64) *kgo.Record {
	return &kgo.Record{Topic: topic, Offset: offset, Timestamp: time.UnixMilli(millis)}
}

func TestFeedTakesTheOldestAndWaitsForSourcesThatLag(t *testing.T) {
	f := Feed{Sources: []Source{
		{Source: exec.Source{Topic: "a"}, End: 2},
		{Source: exec.Source{Topic: "b"}, End: 1},
	}}
	f.add(0, tail.Batch{Records: []*kgo.Record{at("a", 0, 20), at("a", 1, 30)}, Next: 2, End: 2})
	require.Nil(t, f.Next(), "b has a record that has not arrived")

	f.add(1, tail.Batch{Records: []*kgo.Record{at("b", 0, 10)}, Next: 1, End: 1})
	var order []string
	for rec := f.Next(); rec != nil; rec = f.Next() {
		order = append(order, rec.Topic)
	}
	require.Equal(t, []string{"b", "a", "a"}, order)

	f.add(0, tail.Batch{Records: []*kgo.Record{at("a", 2, 5)}, Next: 3, End: 3})
	require.NotNil(t, f.Next(), "b is read to its end and is not waited for")
}

func TestFeedSkipsWhatWasRead(t *testing.T) {
	f := Feed{Sources: []Source{{Source: exec.Source{Topic: "a"}, Position: 2, End: 3}}}
	f.add(0, tail.Batch{Records: []*kgo.Record{at("a", 0, 1), at("a", 1, 1), at("a", 2, 1)}, Next: 5, End: 5})
	rec := f.Next()
	require.Equal(t, int64(2), rec.Offset)
	require.Nil(t, f.Next())
	require.True(t, f.Done(), "offsets without records behind the last one are read too")
}
