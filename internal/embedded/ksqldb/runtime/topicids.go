package runtime

import "sync"

// TopicIDs remembers which topic a name stood for when it was looked up last, so
// that one which was deleted and made anew is noticed. Kafka clients hold on to the
// topic that they wrote to first, and refuse the one that has taken its name until
// they are told to forget it. The zero value is ready; it may be used by several
// goroutines.
type TopicIDs struct {
	mu  sync.Mutex
	ids map[string]topicID
}

// topicID is a topic's id; zeros for brokers that know none.
type topicID = [16]byte

// Note takes what a look-up gave, and reports whether the one before gave another
// topic. Zeros tell nothing.
func (t *TopicIDs) Note(topic string, id [16]byte) (anew bool) {
	if id == (topicID{}) {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	before, known := t.ids[topic]
	if t.ids == nil {
		t.ids = map[string]topicID{}
	}
	t.ids[topic] = id
	return known && before != id
}
