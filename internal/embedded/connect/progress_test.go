package connect

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestAPartitionIsAsFarAsEverythingBefore(t *testing.T) {
	p := newProgress(time.Now, time.Second)
	list := p.begin([]*kgo.Record{{Topic: "a", Offset: 5}, {Topic: "a", Offset: 6}, {Topic: "b", Offset: 1}, {Topic: "a", Offset: 9}})
	at := func(topic string) int64 {
		if r := p.passed[topicPartition{topic, 0}]; r != nil {
			return r.Offset
		}
		return -1
	}
	p.end(list[1], list[3])
	assert.EqualValues(t, -1, at("a"), "the first one is still on its way")
	p.end(list[2])
	assert.EqualValues(t, 1, at("b"))
	p.end(list[0])
	assert.EqualValues(t, 9, at("a"))
	assert.Empty(t, p.open)

	late := p.begin([]*kgo.Record{{Topic: "a", Offset: 10}})
	p.forget(map[string][]int32{"a": {0}})
	p.end(late...)
	assert.EqualValues(t, -1, at("a"), "somebody else reads the partition")
	assert.EqualValues(t, 1, at("b"))
}

func TestCommitsAreDueNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgress(time.Now, 10*time.Second)
		ctx, cancel := p.pollContext(t.Context())
		_, bounded := ctx.Deadline()
		assert.False(t, bounded, "there is nothing to commit")
		cancel()
		list := p.begin([]*kgo.Record{{Topic: "a"}})
		ctx, cancel = p.pollContext(t.Context())
		until, _ := ctx.Deadline()
		assert.Equal(t, 10*time.Second, time.Until(until))
		cancel()
		p.end(list...)
		assert.False(t, p.due())
		<-time.After(10 * time.Second)
		assert.True(t, p.due())
		assert.False(t, p.due(), "once")
	})
}
