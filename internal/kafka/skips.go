package kafka

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// skipLines are logged in each skipInterval, so that a topic full of rubbish does not
	// fill the log.
	skipLines    = 10
	skipInterval = 10 * time.Second
	// maxReason bounds how much is logged of why, in bytes: it may quote the record.
	maxReason = 500
)

// Skips tells of the records that a service passes over because they make no sense: it
// counts each of them and logs some. It may be used from many goroutines. A nil one tells
// nobody.
type Skips struct {
	log   *slog.Logger
	count func(topic string)

	mu     sync.Mutex
	began  time.Time // of the present interval
	logged int       // lines in the present interval
	silent int       // records since the last line
}

// NewSkips returns what counts with count and logs to log.
func NewSkips(log *slog.Logger, count func(topic string)) *Skips {
	return &Skips{log: log, count: count}
}

// Skip notes that a record is passed over.
func (s *Skips) Skip(rec *kgo.Record, reason error) {
	s.pass(rec.Topic, reason, "partition", rec.Partition, "offset", rec.Offset)
}

// SkipRow notes that a row is passed over that ksqlDB made of a record of a topic.
func (s *Skips) SkipRow(topic string, reason error) {
	s.pass(topic, reason)
}

func (s *Skips) pass(topic string, reason error, attrs ...any) {
	if s == nil {
		return
	}
	s.count(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.began) >= skipInterval {
		s.began, s.logged = now, 0
	}
	if s.logged == skipLines {
		s.silent++
		return
	}
	s.logged++
	text := Shorten(reason.Error(), maxReason)
	s.log.With("topic", topic).With(attrs...).Warn("passing over a record that makes no sense", "reason", text, "others_since_the_last_line", s.silent)
	s.silent = 0
}

// Shorten returns at most limit bytes of a text, with a mark where it was cut.
func Shorten(text string, limit int) string {
	const mark = " ..."
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len(mark)], "") + mark
}
