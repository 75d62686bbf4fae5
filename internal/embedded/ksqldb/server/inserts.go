package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
)

// maxInsertsAhead is how many rows of one request may be on their way to the
// broker; a client that sends faster waits.
const maxInsertsAhead = 1000

// maxInsertLine bounds one row.
const maxInsertLine = 4 << 20

// isStreamOfInserts reports the requests whose rows come for as long as the client likes.
func isStreamOfInserts(r *http.Request) bool {
	return r.URL.Path == "/inserts-stream" && r.Method == http.MethodPost && r.ProtoMajor >= 2
}

// insertsStream answers POST /inserts-stream: the first line of the body names
// the target, each further one is a row, acknowledged in order.
func (s *Server) insertsStream(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 2 {
		writeError(w, &engine.Error{Code: engine.CodeNeedsHTTP2, Message: "This endpoint is only available when using HTTP2"}, false)
		return
	}
	lines := &insertLines{in: bufio.NewReader(r.Body)}
	first, err := lines.next()
	if err != nil && !errors.Is(err, io.EOF) {
		return // the client is gone
	}
	in, failed := parseBody(first, entityInserts)
	var target string
	if failed == nil {
		in.required("target")
		target = in.text("target")
		in.texts("properties")
		failed = in.failed
	}
	if failed != nil {
		writeError(w, failed, false)
		return
	}
	rows, err := s.engine.OpenInserts(r.Context(), target)
	if err != nil {
		s.logFailure(r, err)
		writeError(w, asError(err), false)
		return
	}
	acks := &insertAcks{
		sink:    newSink(w, ""),
		array:   negotiate(r, []string{typeDelimited, typeJSON}) == typeJSON,
		pending: make(chan chan error, maxInsertsAhead),
	}
	w.WriteHeader(http.StatusOK)
	if acks.control.Flush() != nil {
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		defer close(acks.pending)
		insertRows(ctx, rows, lines, acks.pending)
	}()
	if err := acks.write(); err != nil {
		s.logFailure(r, err)
	}
}

// insertRows reads rows and writes them until the end, the first that is refused,
// or the end of the context. Each leaves its outcome in pending.
func insertRows(ctx context.Context, rows *engine.Inserter, lines *insertLines, pending chan<- chan error) {
	for {
		line, err := lines.next()
		if err != nil && !errors.Is(err, errLineTooLong) {
			return
		}
		outcome := make(chan error, 1)
		select {
		case pending <- outcome:
		case <-ctx.Done():
			return
		}
		if err == nil {
			err = rows.Insert(ctx, line, func(err error) { outcome <- err })
		}
		if err != nil {
			outcome <- err
			return
		}
	}
}

// insertAcks answers the rows in order.
type insertAcks struct {
	sink
	array   bool
	pending chan chan error
	seq     int64
}

// write answers rows until there are no more, or one has failed. The error is
// the one of a row that failed without the client being at fault.
func (a *insertAcks) write() error {
	for {
		outcome, ok := a.next()
		if !ok {
			break
		}
		if err := <-outcome; err != nil {
			failed := asError(err)
			a.add(struct {
				Type    string `json:"@type"`
				Status  string `json:"status"`
				Seq     int64  `json:"seq"`
				Message string `json:"message"`
				Code    int    `json:"error_code"`
			}{"InsertError", "error", a.seq, failed.Message, failed.Code})
			a.end()
			return err
		}
		a.add(struct {
			Seq    int64  `json:"seq"`
			Status string `json:"status"`
		}{a.seq, "ok"})
		a.seq++
	}
	a.end()
	return nil
}

// next takes the next row; before it waits for one, all answers are sent.
func (a *insertAcks) next() (chan error, bool) {
	select {
	case outcome, ok := <-a.pending:
		return outcome, ok
	default:
	}
	a.finish()
	outcome, ok := <-a.pending
	return outcome, ok
}

func (a *insertAcks) add(answer any) {
	text, err := marshal(answer)
	if err != nil {
		return
	}
	switch {
	case !a.array:
		a.buf = append(append(a.buf, text...), '\n')
	case a.seq == 0:
		a.buf = append(append(a.buf, '['), text...)
	default:
		a.buf = append(append(a.buf, ','), text...)
	}
	if len(a.buf) >= pullFlush {
		a.finish()
	}
}

func (a *insertAcks) end() {
	if a.array {
		if a.seq == 0 && len(a.buf) == 0 {
			a.buf = append(a.buf, '[')
		}
		a.buf = append(a.buf, ']')
	}
	a.finish()
}

// insertLines cuts a body into lines.
type insertLines struct{ in *bufio.Reader }

var errLineTooLong = &engine.Error{Code: engine.CodeBadRequest, Message: "A row is longer than 4 MiB: write it to the topic in place of /inserts-stream"}

// next gives a line without its end; the last one may lack it. The slice is the
// caller's.
func (l *insertLines) next() ([]byte, error) {
	var line []byte
	for {
		part, err := l.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(line, []byte("\n")), nil
		case errors.Is(err, bufio.ErrBufferFull) && len(line) <= maxInsertLine:
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, errLineTooLong
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		default:
			return nil, err
		}
	}
}
