package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

const (
	// heartbeat is how often a stream without news says that it is alive.
	heartbeat = 15 * time.Second
	// eventTimeout bounds how long a client may take to receive one event.
	eventTimeout = 10 * time.Second
	// lastEventID is the header with which a client says what it received last.
	lastEventID = "Last-Event-ID"
	// resumeReaders bounds how many streams read what they missed at the same time: each has
	// a Kafka client of its own, with some megabytes of records.
	resumeReaders = 8
	// resumePatience is how long a stream waits for its turn to do so, and resumeTimeout how
	// long its turn lasts. One that has not caught up by then ends, and its client comes back
	// with the id of the last event that it got.
	resumePatience = heartbeat
	resumeTimeout  = 30 * time.Second
)

// id returns the id of an event after which p are the positions: each partition with
// the offset of its last record, such as 0:17,1:-1,2:4.
func (p positions) id() string {
	var b strings.Builder
	for i, partition := range slices.Sorted(maps.Keys(p)) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d:%d", partition, p[partition])
	}
	return b.String()
}

// parsePositions reads an event's id. known has the partitions that there are; of one
// that the id leaves out, nothing was received.
func parsePositions(id string, known positions) (positions, error) {
	p := positions{}
	for partition := range known {
		p[partition] = -1
	}
	for part := range strings.SplitSeq(id, ",") {
		number, offset, _ := strings.Cut(part, ":")
		partition, err := strconv.ParseInt(number, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is no partition", number)
		}
		if _, ok := known[int32(partition)]; !ok {
			return nil, fmt.Errorf("there is no partition %d", partition)
		}
		last, err := strconv.ParseInt(offset, 10, 64)
		if err != nil || last < -1 {
			return nil, fmt.Errorf("%q is no offset", offset)
		}
		p[int32(partition)] = last
	}
	return p, nil
}

// eventWriter writes server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
type eventWriter struct {
	w    http.ResponseWriter
	conn *http.ResponseController
	buf  bytes.Buffer
}

// startEvents answers that events follow. After it, errors can only end the answer.
func startEvents(w http.ResponseWriter) *eventWriter {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	return &eventWriter{w: w, conn: http.NewResponseController(w)}
}

// send writes an event. Without data it only says what the client has received; an
// empty id is left out.
func (e *eventWriter) send(id, name string, data any) error {
	e.buf.Reset()
	if id != "" {
		fmt.Fprintf(&e.buf, "id: %s\n", id)
	}
	if data != nil {
		// Neither has line breaks: names are ours, and JSON escapes them.
		fmt.Fprintf(&e.buf, "event: %s\ndata: ", name)
		enc := json.NewEncoder(&e.buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(data); err != nil {
			return err
		}
	}
	e.buf.WriteByte('\n')
	return e.flush()
}

func (e *eventWriter) beat() error {
	e.buf.Reset()
	e.buf.WriteString(": alive\n\n")
	return e.flush()
}

func (e *eventWriter) flush() error {
	// Not every ResponseWriter has a connection (those of tests do not).
	_ = e.conn.SetWriteDeadline(time.Now().Add(eventTimeout))
	if _, err := e.w.Write(e.buf.Bytes()); err != nil {
		return err
	}
	return e.conn.Flush()
}

// getOrderStream sends every record of orders.v1 from now on, or from after the event
// that the client received last.
func (h *handlers) getOrderStream(w http.ResponseWriter, r *http.Request) error {
	reader, at, ok := h.tail.join()
	if !ok {
		return unavailable("The topic of orders cannot be followed at the moment.")
	}
	defer h.tail.leave(reader)
	resume := r.Header.Get(lastEventID)
	if resume != "" {
		var err error
		if at, err = parsePositions(resume, at); err != nil {
			return newProblem(http.StatusBadRequest, "The header "+lastEventID+" is not the id of an event of this stream: "+err.Error()+".")
		}
	}
	out := startEvents(w)
	send := func(rec *kgo.Record) error { return h.sendOrder(r.Context(), out, at, rec) }
	err := out.send(at.id(), "", nil)
	if err == nil && resume != "" {
		err = h.sendMissed(r.Context(), at, send)
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for err == nil {
		select {
		case rec, ok := <-reader.records:
			if !ok {
				return nil
			}
			err = send(rec)
		case <-beat.C:
			err = out.beat()
		case <-r.Context().Done():
			return nil
		}
	}
	// The answer has begun: the client sees its end and comes back.
	h.log.Debug("a stream of orders ended", "error", err)
	return nil
}

var errResumeLater = errors.New("too many streams read what they missed")

// sendMissed sends what came after the positions until now.
func (h *handlers) sendMissed(ctx context.Context, at positions, send func(*kgo.Record) error) error {
	timer := time.NewTimer(resumePatience)
	defer timer.Stop()
	select {
	case h.resumeSlots <- struct{}{}:
		defer func() { <-h.resumeSlots }()
	case <-timer.C:
		return errResumeLater
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, resumeTimeout)
	defer cancel()
	return kafka.Scan(ctx, h.tail.cfg, []kafka.Span{{Topic: order.TopicOrders, After: at}}, send)
}

// sendOrder sends a record that comes after the positions, and moves them on.
func (h *handlers) sendOrder(ctx context.Context, out *eventWriter, at positions, rec *kgo.Record) error {
	if last, ok := at[rec.Partition]; ok && rec.Offset <= last {
		return nil
	}
	var o order.Order
	err := h.tail.registry.Decode(ctx, rec.Value, &o)
	if errors.Is(err, kafka.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	at[rec.Partition] = rec.Offset
	if err == nil {
		err = countable(o.Price)
	}
	if err != nil {
		// A foreign writer's record that is no order.
		h.tail.skips.Skip(rec, err)
		return nil
	}
	return out.send(at.id(), "order", o)
}

// getFraudStream sends the suspicious customers as known now, the oldest window first,
// and then each change.
func (h *handlers) getFraudStream(w http.ResponseWriter, r *http.Request) error {
	out := startEvents(w)
	// The client learns at once that it is connected.
	err := out.beat()
	sent := map[int64]suspect{}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for err == nil {
		list, changed := h.fraud.list(math.MaxInt)
		for _, s := range slices.Backward(list) {
			if err == nil && sent[s.CustomerID] != s {
				sent[s.CustomerID] = s
				err = out.send("", "suspect", s)
			}
		}
		if err != nil {
			break
		}
		select {
		case <-changed:
		case <-beat.C:
			err = out.beat()
		case <-r.Context().Done():
			return nil
		}
	}
	h.log.Debug("a stream of suspects ended", "error", err)
	return nil
}
