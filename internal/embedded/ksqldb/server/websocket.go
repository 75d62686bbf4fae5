package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
)

// maxCloseReason is how much text a close frame can carry (RFC 6455, 5.5).
const maxCloseReason = 123

// websocketTimeout bounds how long a client may take for one frame.
const websocketTimeout = 30 * time.Second

// websocketQuery answers GET /ws/query: a query in the parameter "request", its
// rows as text frames.
func (s *Server) websocketQuery(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.Header()["Content-Type"] = nil
		w.WriteHeader(http.StatusBadRequest)
		write(w, []byte(`Can "Upgrade" only to "WebSocket".`))
		return
	}
	// Browsers leave it to servers which pages may open websockets.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: s.origins.allows(r.Header.Get("Origin")), CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		s.log.Debug("a websocket was not opened", "error", err)
		return
	}
	ctx := conn.CloseRead(r.Context())
	frames := &frameStream{conn: conn, ctx: ctx}
	q, failed, code := s.prepareWebsocket(ctx, r)
	if failed != "" {
		frames.close(code, failed)
		return
	}
	_, err = q.Run(ctx, engine.Receiver{
		Begin: func() error { return frames.begin(q) },
		Row:   frames.row,
		Print: frames.print,
	})
	var refused *engine.Error
	switch {
	case err == nil:
		frames.close(websocket.StatusNormalClosure, "done")
	case ctx.Err() != nil:
		_ = conn.CloseNow() // the client is gone
	case errors.As(err, &refused) && refused.Status() < http.StatusInternalServerError:
		frames.close(websocket.StatusUnsupportedData, refused.Message)
	default:
		s.logFailure(r, err)
		frames.close(websocket.StatusInternalError, asError(err).Message)
	}
}

// prepareWebsocket makes the query of the request. A refusal comes with the code
// to close with.
func (s *Server) prepareWebsocket(ctx context.Context, r *http.Request) (q *engine.Query, failed string, code websocket.StatusCode) {
	refuse := func(text string) (*engine.Query, string, websocket.StatusCode) {
		return nil, text, websocket.StatusUnsupportedData
	}
	parameters := r.URL.Query()
	if version := parameters.Get("version"); version != "" && version != "1" {
		return refuse("Received invalid api version: " + version)
	}
	text := parameters.Get("request")
	if text == "" {
		return refuse("Error parsing request: missing request parameter")
	}
	in, problem := parseBody([]byte(text), entityKsql)
	if problem != nil {
		return refuse("Error parsing request: " + strings.TrimPrefix(problem.Message, invalidJSONPrefix))
	}
	req, problem := in.request("ksql", "streamsProperties")
	if problem != nil {
		return refuse("Error parsing request: " + strings.TrimPrefix(problem.Message, invalidJSONPrefix))
	}
	if req.SQL == "" {
		return refuse(`Error parsing request: "ksql" field of "request" must be populated`)
	}
	if err := engine.CheckOverrides(req.Properties); err != nil {
		return refuse("Error parsing request: " + err.Error())
	}
	q, err := s.engine.Prepare(ctx, req)
	if err == nil {
		return q, "", 0
	}
	s.logFailure(r, err)
	refused := asError(err)
	switch {
	case refused.Code == engine.CodeCommandTimeout:
		return nil, refused.Message, websocket.StatusTryAgainLater
	case refused.Status() >= http.StatusInternalServerError:
		return nil, refused.Message, websocket.StatusInternalError
	}
	return refuse(refused.Message)
}

// frameStream is an answer as text frames: the columns, then a frame a row.
type frameStream struct {
	conn    *websocket.Conn
	ctx     context.Context // ends with the connection
	columns []engine.Column
	buf     []byte
}

func (f *frameStream) send(text []byte) error {
	ctx, cancel := context.WithTimeout(f.ctx, websocketTimeout)
	defer cancel()
	return f.conn.Write(ctx, websocket.MessageText, text)
}

func (f *frameStream) begin(q *engine.Query) error {
	f.columns = q.Columns
	if q.Kind == engine.PrintQuery {
		return nil
	}
	head, err := marshal(engine.Fields(q.Columns))
	if err != nil {
		return err
	}
	return f.send(head)
}

func (f *frameStream) row(r engine.Row) error {
	if r.Tombstone {
		return nil
	}
	f.buf = append(f.buf[:0], `{"row":{"columns":`...)
	f.buf = append(appendRow(f.buf, f.columns, r.Values), "}}"...)
	return f.send(f.buf)
}

// print sends a record as a JSON text; lines about formats and idle times are
// left out.
func (f *frameStream) print(text string) error {
	if !isRecord(text) {
		return nil
	}
	f.buf = appendText(f.buf[:0], strings.TrimRight(text, "\n"))
	return f.send(f.buf)
}

// close says why the answer ends, in a frame and in the close frame.
func (f *frameStream) close(code websocket.StatusCode, why string) {
	text, err := marshal(struct {
		Error string `json:"error"`
	}{why})
	if err == nil {
		_ = f.send(text) // a client that is gone no longer cares
	}
	_ = f.conn.Close(code, shortened(why))
}

// shortened cuts a text to what a close frame can carry.
func shortened(text string) string {
	if len(text) <= maxCloseReason {
		return text
	}
	const more = "..."
	cut := maxCloseReason - len(more)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + more
}
