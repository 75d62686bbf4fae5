package server

import (
	"net/http"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
)

// stream is a form of streamed answers.
type stream interface {
	begin(q *engine.Query) error
	row(r engine.Row) error
	print(text string) error
	end(q *engine.Query, why engine.End)
	// fail reports an error after the stream has begun.
	fail(err *engine.Error)
}

// pullFlush is how many bytes of a pull query's answer are gathered before they
// are sent; a push query's rows are sent one by one.
const pullFlush = 8 << 10

// stallTimeout is how long a client may take nothing of an answer that waits for
// it before its connection is given up.
const stallTimeout = 30 * time.Second

// sink writes a streamed answer.
type sink struct {
	w       http.ResponseWriter
	control *http.ResponseController
	columns []engine.Column
	gather  bool
	sent    bool // something of the answer is on its way
	buf     []byte
}

func newSink(w http.ResponseWriter, contentType string) sink {
	if contentType == "" {
		w.Header()["Content-Type"] = nil
	} else {
		w.Header().Set("Content-Type", contentType)
	}
	return sink{w: w, control: http.NewResponseController(w)}
}

// start sends the head of the answer.
func (s *sink) start(q *engine.Query) {
	s.columns, s.gather = q.Columns, q.Kind == engine.TablePullQuery
	if s.gather {
		s.w.Header().Set("Transfer-Encoding", "chunked") // ksqlDB's answers never tell their length
	}
	s.w.WriteHeader(http.StatusOK)
}

// send writes what is in the buffer.
func (s *sink) send() error {
	if s.gather && len(s.buf) < pullFlush {
		return nil
	}
	return s.flush()
}

func (s *sink) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	s.sent = true
	// Where a write can't be bounded, only the connection's end ends it.
	_ = s.control.SetWriteDeadline(time.Now().Add(stallTimeout))
	_, err := s.w.Write(s.buf)
	s.buf = s.buf[:0]
	if err != nil {
		return err
	}
	return s.control.Flush()
}

// finish sends what is left. A client that is gone no longer cares. An answer that
// is whole in the buffer goes out with its end in one piece.
func (s *sink) finish() {
	if s.gather && !s.sent {
		_, _ = s.w.Write(s.buf)
		return
	}
	_ = s.flush()
	_ = s.control.SetWriteDeadline(time.Time{})
}

func (s *sink) print(string) error { return nil }

// objectStream is an array of objects, one a row, each on a line of its own.
type objectStream struct{ sink }

func (s *objectStream) begin(q *engine.Query) error {
	return s.head(q, struct {
		ID     string `json:"queryId"`
		Schema string `json:"schema"`
	}{q.ID, schemaText(q.Columns)})
}

func (s *objectStream) head(q *engine.Query, header any) error {
	head, err := marshal(header)
	if err != nil {
		return err
	}
	s.start(q)
	s.buf = append(s.buf, `[{"header":`...)
	s.buf = append(append(s.buf, head...), '}')
	if s.gather {
		return nil
	}
	// The line is ended at once so that readers of lines see the header.
	s.buf = append(s.buf, ",\n"...)
	return s.flush()
}

func (s *objectStream) row(r engine.Row) error {
	s.open(`{"row":{"columns":`)
	s.buf = appendRow(s.buf, s.columns, r.Values)
	return s.close(r)
}

// open and close put a row between the ones before and after it.
func (s *objectStream) open(text string) {
	if s.gather {
		s.buf = append(s.buf, ",\n"...)
	}
	s.buf = append(s.buf, text...)
}

func (s *objectStream) close(r engine.Row) error {
	if r.Tombstone {
		s.buf = append(s.buf, `,"tombstone":true`...)
	}
	s.buf = append(s.buf, "}}"...)
	if !s.gather {
		s.buf = append(s.buf, ",\n"...)
	}
	return s.send()
}

func (s *objectStream) end(_ *engine.Query, why engine.End) {
	switch {
	case s.gather:
	case why == engine.LimitReached:
		s.buf = append(s.buf, `{"finalMessage":"Limit Reached"}`...)
	default:
		s.buf = append(s.buf, `{"finalMessage":"Query Completed"}`...)
	}
	s.buf = append(s.buf, ']')
	s.finish()
}

func (s *objectStream) fail(err *engine.Error) {
	if s.gather {
		s.buf = append(s.buf, ",\n"...)
	}
	s.buf = append(s.buf, `{"errorMessage":`...)
	s.buf = append(appendError(s.buf, err), "}]"...)
	s.finish()
}

// delimitedStream has a line for the columns and one for each row.
type delimitedStream struct{ sink }

func (s *delimitedStream) begin(q *engine.Query) error {
	s.start(q)
	var err error
	if s.buf, err = appendMetadata(s.buf, q); err != nil {
		return err
	}
	s.buf = append(s.buf, '\n')
	return s.send()
}

func (s *delimitedStream) row(r engine.Row) error {
	if r.Tombstone {
		return nil
	}
	s.buf = append(appendRow(s.buf, s.columns, r.Values), '\n')
	return s.send()
}

func (s *delimitedStream) end(*engine.Query, engine.End) { s.finish() }

func (s *delimitedStream) fail(err *engine.Error) {
	s.buf = append(appendError(s.buf, err), '\n')
	s.finish()
}

// arrayStream is one JSON array of the columns and the rows.
type arrayStream struct{ sink }

func (s *arrayStream) begin(q *engine.Query) error {
	s.start(q)
	var err error
	s.buf, err = appendMetadata(append(s.buf, '['), q)
	if err != nil {
		return err
	}
	return s.send()
}

func (s *arrayStream) row(r engine.Row) error {
	if r.Tombstone {
		return nil
	}
	s.buf = appendRow(append(s.buf, ','), s.columns, r.Values)
	return s.send()
}

func (s *arrayStream) end(*engine.Query, engine.End) {
	s.buf = append(s.buf, ']')
	s.finish()
}

func (s *arrayStream) fail(err *engine.Error) {
	s.buf = append(appendError(append(s.buf, ','), err), ']')
	s.finish()
}

// textStream is the output of PRINT.
type textStream struct {
	sink
	// formats tells whether lines about formats are shown.
	formats bool
}

func (s *textStream) begin(q *engine.Query) error {
	s.start(q)
	return s.control.Flush()
}

func (s *textStream) row(engine.Row) error { return nil }

func (s *textStream) print(text string) error {
	if !s.formats && !isRecord(text) {
		return nil
	}
	s.buf = append(s.buf, text...)
	return s.send()
}

func (s *textStream) end(*engine.Query, engine.End) { s.finish() }

func (s *textStream) fail(err *engine.Error) {
	s.buf = append(append(s.buf, err.Message...), '\n')
	s.finish()
}
