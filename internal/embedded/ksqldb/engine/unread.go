package engine

// Unread gives the first offset of a partition that a persistent query has not
// read yet, so that a broker can keep it; false when no query reads the topic.
func (e *Engine) Unread(topic string, partition int32) (offset int64, needed bool) {
	return e.runtime.Unread(topic, partition)
}
