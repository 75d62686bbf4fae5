package server

// Unread gives the first offset of a partition that a persistent query has not
// read yet, so that a broker can keep it; false when no query reads the topic.
// While the server doesn't run, everything is needed.
func (s *Server) Unread(topic string, partition int32) (offset int64, needed bool) {
	s.mu.Lock()
	engine := s.engine
	if s.http == nil {
		engine = nil
	}
	s.mu.Unlock()
	if engine == nil {
		return 0, true
	}
	return engine.Unread(topic, partition)
}
