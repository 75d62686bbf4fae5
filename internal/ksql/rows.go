package ksql

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	ksqldb "github.com/thmeitz/ksqldb-go"
)

// maxRow bounds one line of a streamed answer, in bytes.
const maxRow = 16 << 20

// closeTimeout bounds how long leaving a push query may take.
const closeTimeout = 2 * time.Second

// startGrace is how much longer than its context a query may take to name itself:
// one that the server has just started can be ended by its id only.
const startGrace = 500 * time.Millisecond

// What is left of a pull query is read when it is closed, so that its
// connection can be used again; up to these bounds, in bytes and time.
const (
	drainSize    = 64 << 10
	drainTimeout = 50 * time.Millisecond
)

// Column is one column of a query's result.
type Column struct {
	Name string
	// Type is the SQL type as the server spells it, such as BIGINT,
	// DECIMAL(6, 2) or ARRAY<STRING>.
	Type string
}

// Rows is the result of a query while it streams in. It is used like
// database/sql's: Next before each row, Err after the last, Close always.
// One goroutine uses it at a time; Close alone may be called from another.
//
// A pull query ends by itself. A push query without LIMIT ends when its
// context ends, when Close is called, or when the server ends it (it was
// terminated, or the server stopped): then Next returns false with a nil Err,
// and who wants more asks again.
type Rows struct {
	client  *Client
	ctx     context.Context // of the request; the caller's ends it by way of close
	owner   context.Context // the caller's
	cancel  context.CancelCauseFunc
	stop    func() bool // of what closes the rows when the caller's context ends
	body    io.ReadCloser
	reader  *bufio.Reader
	reading sync.Mutex // held by who reads
	columns []Column
	queryID string

	row      []json.RawMessage
	current  bool
	bindings bindings // of the last ScanStruct
	err      error
	ended    atomic.Bool           // the server ended the answer
	reason   atomic.Pointer[error] // why they are closed; nil while they are not

	closeOnce sync.Once
	closeErr  error
}

type queryHeader struct {
	QueryID     string   `json:"queryId"`
	ColumnNames []string `json:"columnNames"`
	ColumnTypes []string `json:"columnTypes"`
}

// Query runs a pull or a push query, one statement ended by a semicolon, and
// returns when the server has accepted it and named its columns. props
// override properties for this query, such as "auto.offset.reset". The query
// ends with ctx. A refusal is an *Error.
//
// Deletions of table rows are not among the rows of a push query: ksqlDB
// leaves them out of this form of its answer.
func (c *Client) Query(ctx context.Context, sql string, props map[string]string) (*Rows, error) {
	if strings.TrimSpace(sql) == "" {
		return nil, errors.New("running a query: the text is empty")
	}
	var rows *Rows
	err := c.retrying(ctx, func() (err error) {
		rows, err = c.query(ctx, sql, props)
		return err
	})
	if err != nil {
		return nil, withStatement(err, sql)
	}
	return rows, nil
}

// query asks once.
func (c *Client) query(ctx context.Context, sql string, props map[string]string) (*Rows, error) {
	request, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	opened := make(chan struct{})
	giveUp := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(startGrace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-opened:
		}
	})
	rows, err := c.openQuery(request, sql, props)
	close(opened)
	giveUp()
	if err != nil {
		cancel(err)
		return nil, err
	}
	rows.cancel, rows.owner = cancel, ctx
	if ctx.Err() != nil {
		rows.stop = func() bool { return true }
		rows.closeAndLog(context.Cause(ctx))
		return nil, fmt.Errorf("asking ksqlDB at %s: %w", c.base, context.Cause(ctx))
	}
	// Who waits for something else than the next row need not come back here
	// for the query to end on the server.
	ready := make(chan struct{})
	rows.stop = context.AfterFunc(ctx, func() {
		<-ready
		rows.closeAndLog(context.Cause(ctx))
	})
	close(ready)
	return rows, nil
}

func (c *Client) openQuery(ctx context.Context, sql string, props map[string]string) (*Rows, error) {
	request := ksqldb.QueryOptions{Sql: sql, Properties: ksqldb.PropertyMap{}}
	maps.Copy(request.Properties, props)
	response, err := c.post(ctx, ksqldb.QUERY_STREAM_ENDPOINT, mediaTypeDelimited, request)
	if err != nil {
		return nil, err
	}
	if err := checkStreamType(response); err != nil {
		response.Body.Close()
		return nil, err
	}
	rows := &Rows{
		client: c,
		ctx:    ctx,
		body:   response.Body,
		reader: bufio.NewReaderSize(response.Body, 32<<10),
	}
	if err := rows.readHeader(); err != nil {
		response.Body.Close()
		return nil, err
	}
	return rows, nil
}

func checkStreamType(response *http.Response) error {
	header := response.Header.Get("Content-Type")
	if header == "" {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(header)
	if err != nil || mediaType != mediaTypeDelimited {
		return fmt.Errorf("reading the query's answer: expected the content type %s, got %q: is there a ksqlDB server at that address?",
			mediaTypeDelimited, header)
	}
	return nil
}

func (r *Rows) readHeader() error {
	line, err := r.readLine()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("reading the query's columns: the answer ended before them")
		}
		if cause := context.Cause(r.ctx); cause != nil {
			return fmt.Errorf("reading the query's columns: %w", cause)
		}
		return &ConnectionError{URL: r.client.base, Doing: "reading the query's columns from", Err: err}
	}
	if failure := lineError(line); failure != nil {
		return failure
	}
	var header queryHeader
	if err := json.Unmarshal(line, &header); err != nil {
		return fmt.Errorf("reading the query's columns from %q: %w", plainText(line), err)
	}
	if len(header.ColumnNames) != len(header.ColumnTypes) {
		return fmt.Errorf("reading the query's columns: %d names, but %d types", len(header.ColumnNames), len(header.ColumnTypes))
	}
	r.queryID = header.QueryID
	r.columns = make([]Column, len(header.ColumnNames))
	for i := range r.columns {
		r.columns[i] = Column{Name: header.ColumnNames[i], Type: header.ColumnTypes[i]}
	}
	return nil
}

// readLine returns the next line that is not blank, without its end.
func (r *Rows) readLine() ([]byte, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	for {
		var line []byte
		for {
			part, err := r.reader.ReadSlice('\n')
			if len(line)+len(part) > maxRow {
				return nil, fmt.Errorf("a row is longer than %d bytes", maxRow)
			}
			line = append(line, part...)
			if err == nil {
				break
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if errors.Is(err, io.EOF) && len(bytes.TrimSpace(line)) > 0 {
				break // the last line needs no end
			}
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

// lineError returns the error object that a line is, or nil.
func lineError(line []byte) error {
	if line[0] != '{' || !bytes.Contains(line, []byte(`"error_code"`)) {
		return nil
	}
	return decodeError(http.StatusOK, line)
}

// cause prefers the reason why the rows were closed to the error it led to.
func (r *Rows) cause(err error) error {
	if reason := r.reason.Load(); reason != nil {
		return *reason
	}
	if r.owner.Err() != nil {
		return context.Cause(r.owner)
	}
	return err
}

// Columns returns the result's columns in order.
func (r *Rows) Columns() []Column { return r.columns }

// QueryID returns the server's id of the query, "" when it has none.
func (r *Rows) QueryID() string { return r.queryID }

// Next reads the next row and reports whether there is one. It waits for it
// for as long as the query and its context last. After false, Err tells why,
// and the rows are closed.
func (r *Rows) Next() bool {
	r.current = false
	if r.err != nil || r.ended.Load() || r.closed() {
		return false
	}
	line, err := r.readLine()
	switch {
	case errors.Is(err, io.EOF) && r.cause(nil) == nil:
		r.ended.Store(true)
		_ = r.Close() // nothing is left to end on the server
		return false
	case err != nil && r.closed():
		return false
	case err != nil:
		return r.fail(fmt.Errorf("reading a row: %w", r.cause(err)))
	}
	if failure := lineError(line); failure != nil {
		r.ended.Store(true)
		return r.fail(failure)
	}
	r.row = r.row[:0]
	if err := json.Unmarshal(line, &r.row); err != nil {
		return r.fail(fmt.Errorf("reading a row from %q: %w", plainText(line), err))
	}
	if len(r.row) != len(r.columns) {
		return r.fail(fmt.Errorf("reading a row: it has %d values for %d columns", len(r.row), len(r.columns)))
	}
	r.current = true
	return true
}

func (r *Rows) fail(err error) bool {
	r.err = err
	r.closeAndLog(errRowsClosed)
	return false
}

// Err returns the error that ended Next, nil when the rows just ended or were
// closed.
func (r *Rows) Err() error { return r.err }

var errRowsClosed = errors.New("the rows are closed")

func (r *Rows) closed() bool { return r.cause(nil) == errRowsClosed }

// Close ends the query, on the server too when it has not ended there, and
// releases the connection. Next then returns false. It may be called more than
// once and returns the same error each time.
func (r *Rows) Close() error {
	r.closeOnce.Do(func() { r.close(errRowsClosed) })
	return r.closeErr
}

// closeAndLog closes the rows on nobody's behalf who could be told of an error.
func (r *Rows) closeAndLog(cause error) {
	r.closeOnce.Do(func() {
		r.close(cause)
		if r.closeErr != nil {
			r.client.log.Warn("a query could not be ended on the server", "query", r.queryID, "error", r.closeErr)
		}
	})
}

func (r *Rows) close(cause error) {
	r.reason.Store(&cause)
	r.stop()
	switch {
	case r.ended.Load():
	case r.outlivesReader():
		// The query's own context may be what ended: the server is told all the same.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), closeTimeout)
		r.closeErr = r.client.closeQuery(ctx, r.queryID)
		cancel()
	case cause == errRowsClosed:
		r.drain()
	}
	// Closing waits until the connection is free, which ending the context does not:
	// who closes the client next would not release it.
	late := time.AfterFunc(closeTimeout, func() { r.cancel(cause) })
	_ = r.body.Close() // its error could only repeat that the query was left
	late.Stop()
	r.cancel(cause)
}

// drain reads what is left of the answer if that is little and quick to come.
func (r *Rows) drain() {
	if !r.reading.TryLock() {
		return
	}
	defer r.reading.Unlock()
	timer := time.AfterFunc(drainTimeout, func() { r.cancel(errRowsClosed) })
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, r.reader, drainSize) // only the connection's reuse depends on it
}

// outlivesReader reports whether the server may go on with the query when
// nobody reads its rows: all but pull queries, whose ids begin with "query_".
func (r *Rows) outlivesReader() bool {
	return r.queryID != "" && !strings.HasPrefix(r.queryID, "query_")
}
