package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// frame is what a recording of HTTP/2 shows of one frame.
type frame struct {
	Stream   int         `json:"stream"`
	Sent     string      `json:"sent"`
	Frame    string      `json:"frame"`
	Event    string      `json:"event"`
	Headers  [][2]string `json:"headers"`
	Data     string      `json:"data"`
	EndsHere bool        `json:"end_stream"`
}

// h2cClient speaks HTTP/2 in clear text with prior knowledge.
func h2cClient() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{
		Transport:     &http.Transport{Protocols: protocols},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// h2cStream is one stream of a replayed connection.
type h2cStream struct {
	cancel context.CancelFunc
	send   *io.PipeWriter
	answer chan *http.Response // the head of the answer

	mu    sync.Mutex
	moved chan struct{} // closed and replaced when more has come
	got   bytes.Buffer
	ended bool
	err   error

	want   strings.Builder
	status string
	kind   string
}

// h2cPath is the path of a stream's request, told by what was sent where the
// recording of several streams leaves it out.
func h2cPath(x *exchange, sent string) string {
	switch {
	case x.Path != "":
		return x.Path
	case strings.HasPrefix(sent, `{"sql"`):
		return "/query-stream"
	case strings.HasPrefix(sent, `{"target"`):
		return "/inserts-stream"
	default:
		return "/close-query"
	}
}

func (r *replay) openH2C(client *http.Client, x *exchange, path string) *h2cStream {
	ctx, cancel := context.WithTimeout(r.ctx, 5*time.Second)
	s := &h2cStream{cancel: cancel, answer: make(chan *http.Response, 1), moved: make(chan struct{})}
	method := x.Method
	if method == "" {
		method = http.MethodPost
	}
	var body io.Reader
	if method == http.MethodPost {
		var pipe *io.PipeReader
		pipe, s.send = io.Pipe()
		body = pipe
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.server.Addr()+path, body)
	require.NoError(r.t, err)
	if x.RequestHeaders != nil {
		for name, value := range *x.RequestHeaders {
			req.Header.Set(name, value)
		}
	}
	go s.run(client, req)
	return s
}

func (s *h2cStream) run(client *http.Client, req *http.Request) {
	resp, err := client.Do(req)
	if err != nil {
		s.add(nil, err)
		close(s.answer)
		return
	}
	defer resp.Body.Close()
	s.answer <- resp
	buf := make([]byte, 4096)
	for {
		n, err := resp.Body.Read(buf)
		s.add(buf[:n], err)
		if err != nil {
			return
		}
	}
}

func (s *h2cStream) add(data []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got.Write(data)
	if err != nil {
		s.ended = true
		if !errors.Is(err, io.EOF) {
			s.err = err
		}
	}
	close(s.moved)
	s.moved = make(chan struct{})
}

// await waits until as much has come as was recorded so far. Ids differ in
// length, so that lines are counted where there are lines.
func (s *h2cStream) await(ctx context.Context, end bool) error {
	want := s.want.String()
	for {
		s.mu.Lock()
		got, ended, err, moved := s.got.String(), s.ended, s.err, s.moved
		s.mu.Unlock()
		enough := strings.Count(got, "\n") >= strings.Count(want, "\n") && (strings.Contains(want, "\n") || len(got) >= len(want))
		switch {
		case err != nil:
			return err
		case ended, enough && !end:
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("got only %q of %q: %w", got, want, ctx.Err())
		}
	}
}

// frames replays the frames of a connection and compares what comes back.
func (r *replay) frames(x *exchange) error {
	ctx, cancel := context.WithTimeout(r.ctx, 10*time.Second)
	defer cancel()
	client := h2cClient()
	defer client.CloseIdleConnections()
	streams := map[int]*h2cStream{}
	order := []*h2cStream{}
	open := func(id int, sent string) *h2cStream {
		s := streams[id]
		if s == nil {
			s = r.openH2C(client, x, h2cPath(x, sent))
			streams[id] = s
			order = append(order, s)
		}
		return s
	}
	for _, f := range x.Frames {
		if f.Stream == 0 {
			continue
		}
		if err := r.frame(ctx, open(f.Stream, f.Data), f, streams[1]); err != nil {
			return err
		}
	}
	for _, s := range order {
		s.cancel()
		if s.send != nil {
			_ = s.send.Close()
		}
		s.mu.Lock()
		got := s.got.String()
		s.mu.Unlock()
		if a, b := h2cCanonical(got), h2cCanonical(s.want.String()); a != b {
			return fmt.Errorf("%s instead of %s", clip(a), clip(b))
		}
	}
	return nil
}

func (r *replay) frame(ctx context.Context, s *h2cStream, f frame, first *h2cStream) error {
	switch {
	case f.Sent == "DATA":
		data := f.Data
		if strings.Contains(data, "transient_") {
			first.mu.Lock()
			data = transientID.ReplaceAllString(data, transientID.FindString(first.got.String()))
			first.mu.Unlock()
		}
		// A stream that the server has ended takes no more, which is no failure.
		_, _ = io.WriteString(s.send, data)
		if f.EndsHere {
			_ = s.send.Close()
		}
	case strings.HasPrefix(f.Sent, "RST_STREAM"):
		s.cancel()
	case f.Frame == "HEADERS":
		for _, h := range f.Headers {
			switch h[0] {
			case ":status":
				s.status = h[1]
			case "content-type":
				s.kind = h[1]
			}
		}
		select {
		case resp := <-s.answer:
			if resp == nil {
				return fmt.Errorf("no answer: %w", s.err)
			}
			if got := fmt.Sprint(resp.StatusCode); got != s.status {
				return fmt.Errorf("status %s instead of %s", got, s.status)
			}
			if got := resp.Header.Get("Content-Type"); got != s.kind {
				return fmt.Errorf("content type %q instead of %q", got, s.kind)
			}
		case <-ctx.Done():
			return errors.New("no answer within the time")
		}
	case f.Frame == "DATA":
		s.want.WriteString(f.Data)
		return s.await(ctx, f.EndsHere)
	case f.Event == "END_STREAM":
		return s.await(ctx, true)
	}
	return nil
}

// writeUnseen writes the records that the recorder wrote by requests which the
// recording does not show: those of a topic that stand before one of ours there
// and are not in it here.
func (r *replay) writeUnseen(topics string) {
	recorded := map[string][]topicRecord{}
	for _, rec := range topicRecords(r.t, topics) {
		recorded[rec.Topic] = append(recorded[rec.Topic], rec)
	}
	for topic, list := range recorded {
		ours := r.records(topic)
		var missing []topicRecord
		for _, rec := range list {
			switch {
			case len(ours) == 0:
			case bytes.Equal(ours[0].Key, unhex(r.t, rec.Key)) && bytes.Equal(ours[0].Value, unhex(r.t, rec.Value)):
				ours = ours[1:]
				continue
			default:
				missing = append(missing, rec)
			}
		}
		if len(ours) > 0 {
			r.t.Errorf("topic %s has %d records that were not recorded, the first is %q", topic, len(ours), ours[0].Value)
			continue
		}
		for _, rec := range missing {
			require.NoError(r.t, r.kafka.ProduceSync(r.ctx, &kgo.Record{Topic: topic, Key: unhex(r.t, rec.Key), Value: unhex(r.t, rec.Value)}).FirstErr())
		}
	}
}

// topicRecord is a line of a recording of what topics hold.
type topicRecord struct {
	Topic string  `json:"topic"`
	Key   *string `json:"key_hex"`
	Value *string `json:"value_hex"`
}

func topicRecords(t testing.TB, path string) []topicRecord {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var out []topicRecord
	for line := range strings.Lines(string(data)) {
		var rec topicRecord
		require.NoError(t, json.Unmarshal([]byte(line), &rec))
		out = append(out, rec)
	}
	return out
}

// records are all records of a topic so far.
func (r *replay) records(topic string) []*kgo.Record {
	ends, err := kadm.NewClient(r.kafka).ListEndOffsets(r.ctx, topic)
	require.NoError(r.t, err)
	count := 0
	ends.Each(func(o kadm.ListedOffset) { count += int(max(o.Offset, 0)) })
	if count == 0 {
		return nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(r.t, err)
	defer client.Close()
	var out []*kgo.Record
	for len(out) < count {
		fetches := client.PollFetches(r.ctx)
		require.NoError(r.t, fetches.Err())
		out = append(out, fetches.Records()...)
	}
	return out
}

var rowtimePattern = regexp.MustCompile(`rowtime: [^Z]* Z`)

// h2cCanonical also leaves out when rows were inserted.
func h2cCanonical(text string) string {
	return canonical(rowtimePattern.ReplaceAllString(text, "rowtime: T"))
}
