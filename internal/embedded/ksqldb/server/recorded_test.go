package server_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/reference"
)

// recordedArea finds the recordings of a real ksqlDB server.
func recordedArea(t *testing.T, area string) string {
	root := os.Getenv("ORDERFLOW_RECORDED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "..", "shared", "recorded")
	}
	folder := filepath.Join(root, area)
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("no recordings in %s: set ORDERFLOW_RECORDED to the folder that holds them", folder)
	}
	return folder
}

// exchange is a line of a recording: a request and its answer, or records that
// were written.
type exchange struct {
	Note           string             `json:"note"`
	Method         string             `json:"method"`
	Path           string             `json:"path"`
	RequestHeaders *map[string]string `json:"request_headers"`
	RequestBody    string             `json:"request_body"`
	Status         int                `json:"status"`
	Headers        map[string]string  `json:"response_headers"`
	Body           *string            `json:"body"`
	Chunks         [][]any            `json:"chunks"`
	Ended          string             `json:"ended"`
	Frames         []frame            `json:"frames"`

	digest   string // of the line, which names it whatever its number
	known    bool   // not to match, so that no wait will help
	Produced []struct {
		Topic     string  `json:"topic"`
		Partition int32   `json:"partition"`
		Timestamp int64   `json:"timestamp"`
		Key       *string `json:"key_hex"`
		Value     *string `json:"value_hex"`
	} `json:"produced"`
}

func (x *exchange) text() string {
	if x.Body != nil {
		return *x.Body
	}
	var b strings.Builder
	for _, c := range x.Chunks {
		b.WriteString(c[1].(string))
	}
	return b.String()
}

// answered tells lines with an answer from notes and records.
func (x *exchange) answered() bool { return x.Status != 0 || len(x.Frames) > 0 }

// statement is the SQL of the request.
func (x *exchange) statement() string {
	var body struct{ Ksql, SQL string }
	if json.Unmarshal([]byte(x.RequestBody), &body) != nil {
		return ""
	}
	return body.Ksql + body.SQL
}

func exchanges(t *testing.T, path string) []exchange {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var out []exchange
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var x exchange
			require.NoError(t, json.Unmarshal(line, &x), "%s: %.200s", path, line)
			x.digest = fmt.Sprintf("%x", sha256.Sum256(bytes.TrimSpace(line)))[:8]
			out = append(out, x)
		}
		if err != nil {
			return out
		}
	}
}

// knownFailures are the answers that are known not to match, with the reasons. In
// recordings elsewhere they apply to the lines that are found there.
func knownFailures(t *testing.T) map[string]string {
	data, err := os.ReadFile(filepath.Join("testdata", "known-failures.txt"))
	require.NoError(t, err)
	known := map[string]string{}
	for line := range strings.Lines(string(data)) {
		id, reason, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && !strings.HasPrefix(id, "#") {
			known[id] = reason
		}
	}
	return known
}

// areasReplayed are the recordings that are replayed, each on a server of its
// own.
var areasReplayed = []string{"h2c", "endpoints", "show", "ddl", "errors", "insert-values", "pull", "push", "push-close", "print"}

func TestRecordedHTTP(t *testing.T) {
	folder := recordedArea(t, "http")
	known := knownFailures(t)
	seen := map[string]bool{}
	matched, total := 0, 0
	t.Cleanup(func() {
		fmt.Printf("recorded/http: %d of %d match\n", matched, total)
		assert.NoError(t, reference.CheckResult("recorded/http", matched, total))
	})
	files, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	require.NoError(t, err)
	for _, file := range files {
		area := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		lines := exchanges(t, file)
		results := map[int]error{}
		if replayed(area) {
			for i := range lines {
				_, lines[i].known = known[area+":"+lines[i].digest]
			}
			r := newReplay(t, folder, lines)
			for i := range lines {
				r.line(i, results)
			}
		}
		for i := range lines {
			if !lines[i].answered() {
				continue
			}
			total++
			id := area + ":" + lines[i].digest
			seen[id] = true
			failure, ran := results[i]
			if !ran {
				failure = fmt.Errorf("not replayed")
			}
			reason, expected := known[id]
			switch {
			case failure == nil && expected:
				t.Errorf("%s matches now: take it off the list of known failures (%s)", id, reason)
			case failure == nil:
				matched++
			case !expected:
				t.Errorf("%s line %d: %s %s: %v", id, i+1, lines[i].Path, lines[i].statement(), failure)
			}
		}
	}
	for id := range known {
		if !seen[id] && os.Getenv("ORDERFLOW_RECORDED") == "" {
			t.Errorf("%s is on the list of known failures, but not in the recordings", id)
		}
	}
}

func replayed(area string) bool {
	for _, a := range areasReplayed {
		if a == area {
			return true
		}
	}
	return false
}

// replay runs one recording.
type replay struct {
	*stack
	folder string
	lines  []exchange
	http   *http.Client
	held   []int             // requests to be sent while the next push query runs
	ids    map[string]string // our ids of persistent queries by the recorded ones
	words  map[string]bool   // in the requests, in upper case
}

func newReplay(t *testing.T, folder string, lines []exchange) *replay {
	r := &replay{stack: newStack(t), folder: folder, lines: lines, ids: map[string]string{}, words: wordsOf(lines), http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	t.Cleanup(r.http.CloseIdleConnections)
	if r.words["P-EMPTY"] {
		_, err := kadm.NewClient(r.kafka).CreateTopic(r.ctx, 1, 1, nil, "p-empty")
		require.NoError(t, err)
	}
	r.useUpIDs()
	return r
}

// useUpIDs takes the first ids of schemas away: the recorder's registry had
// forgotten the schemas that had them.
func (r *replay) useUpIDs() {
	client := r.avro.Client()
	for _, subject := range []string{"gone-1", "gone-2", "gone-3"} {
		text := fmt.Sprintf(`{"type":"record","name":%q,"fields":[]}`, strings.ReplaceAll(subject, "-", "_"))
		_, err := client.CreateSchema(r.ctx, subject, sr.Schema{Schema: text})
		require.NoError(r.t, err)
		for _, how := range []sr.DeleteHow{sr.SoftDelete, sr.HardDelete} {
			_, err := client.DeleteSubject(r.ctx, subject, how)
			require.NoError(r.t, err)
		}
	}
}

func (r *replay) line(i int, results map[int]error) {
	x := &r.lines[i]
	switch {
	case len(x.Produced) > 0:
		r.produceAll(x)
	case x.Status == 0 && strings.Contains(x.Note, "dropped again"):
		r.dropX()
	case x.Status == 0 && strings.Contains(x.Note, "cleaned server"):
		r.clean()
	case len(x.Frames) > 0:
		if i > 0 && r.lines[i-1].Path == "/inserts-stream" && x.Path != "/inserts-stream" {
			r.writeUnseen(filepath.Join(r.folder, "h2c-topics.jsonl"))
		}
		results[i] = r.frames(x)
	case x.Status == 0:
	case r.whilePushing(x):
		r.held = append(r.held, i)
	case x.Status == http.StatusOK && len(x.Chunks) > 0:
		r.stream(i, results)
	default:
		results[i] = r.compare(x, r.withIDs(x.RequestBody))
	}
}

// whilePushing tells requests that were sent while the query of a later line ran.
func (r *replay) whilePushing(x *exchange) bool {
	return x.Note == "while a push query runs" || (strings.Contains(x.RequestBody, "transient_") && x.Status != 0 && len(x.Chunks) == 0)
}

func (r *replay) produceAll(x *exchange) {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.AllowAutoTopicCreation())
	require.NoError(r.t, err)
	defer client.Close()
	counts := map[string]int32{}
	for _, p := range x.Produced {
		counts[p.Topic] = max(counts[p.Topic], p.Partition+1)
	}
	for topic, n := range counts {
		_, _ = kadm.NewClient(client).CreateTopic(r.ctx, n, 1, nil, topic)
	}
	for _, p := range x.Produced {
		r.registerFor(p.Topic)
		value := unhex(r.t, p.Value)
		if id, err := r.avro.LatestID(r.ctx, p.Topic+"-value"); err == nil && len(value) > 5 && value[0] == 0 {
			binary.BigEndian.PutUint32(value[1:], uint32(id))
		}
		rec := &kgo.Record{Topic: p.Topic, Partition: p.Partition, Timestamp: time.UnixMilli(p.Timestamp), Key: unhex(r.t, p.Key), Value: value}
		require.NoError(r.t, client.ProduceSync(r.ctx, rec).FirstErr())
	}
}

// unrecordedSchemas are schemas that the recorder registered and the recordings
// lack, as their records tell them.
var unrecordedSchemas = map[string]string{
	"p-avro": `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":["null","string"]}]}`,
}

func (r *replay) registerFor(topic string) {
	if text, ok := unrecordedSchemas[topic]; ok {
		_, err := r.avro.Client().CreateSchema(r.ctx, topic+"-value", sr.Schema{Schema: text})
		require.NoError(r.t, err)
	}
}

func unhex(t testing.TB, text *string) []byte {
	if text == nil {
		return nil
	}
	data, err := hex.DecodeString(*text)
	require.NoError(t, err)
	return data
}

// dropX drops the stream or table X that a statement made against expectation.
func (r *replay) dropX() {
	for _, kind := range []string{"STREAM", "TABLE"} {
		_, _ = r.post("/ksql", fmt.Sprintf(`{"ksql":"DROP %s IF EXISTS X;"}`, kind))
	}
}

// clean drops everything, as the recorder did between two parts.
func (r *replay) clean() {
	_, _ = r.post("/ksql", `{"ksql":"TERMINATE ALL;"}`)
	for range 5 {
		for _, kind := range []string{"STREAM", "TABLE"} {
			body, err := r.post("/ksql", fmt.Sprintf(`{"ksql":"SHOW %sS;"}`, kind))
			require.NoError(r.t, err)
			var answer []struct{ Streams, Tables []struct{ Name string } }
			require.NoError(r.t, json.Unmarshal(body, &answer))
			for _, s := range append(answer[0].Streams, answer[0].Tables...) {
				if s.Name != "KSQL_PROCESSING_LOG" {
					_, _ = r.post("/ksql", fmt.Sprintf("{\"ksql\":\"DROP %s `%s` DELETE TOPIC;\"}", kind, s.Name))
					_, _ = r.post("/ksql", fmt.Sprintf("{\"ksql\":\"DROP %s `%s`;\"}", kind, s.Name))
				}
			}
		}
	}
}

var createdID = regexp.MustCompile(`"queryId":"((?:CSAS|CTAS|CST)_\w+_\d+|INSERTQUERY_\d+)"`)

// noteIDs learns which query of ours is which of the recorded ones.
func (r *replay) noteIDs(recorded, ours string) {
	theirs, own := createdID.FindAllStringSubmatch(recorded, -1), createdID.FindAllStringSubmatch(ours, -1)
	for i := range min(len(theirs), len(own)) {
		r.ids[theirs[i][1]] = own[i][1]
	}
}

func (r *replay) withIDs(body string) string {
	return queryIDPattern.ReplaceAllStringFunc(body, func(theirs string) string {
		if own, ok := r.ids[theirs]; ok {
			return own
		}
		return theirs
	})
}

var queryIDPattern = regexp.MustCompile(`(?:CSAS|CTAS|CST)_\w+_\d+|INSERTQUERY_\d+`)

func (r *replay) post(path, body string) ([]byte, error) {
	resp, err := r.http.Post("http://"+r.server.Addr()+path, "application/json", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func (r *replay) request(x *exchange, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(r.ctx, x.Method, "http://"+r.server.Addr()+x.Path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	headers := map[string]string{"Content-Type": "application/vnd.ksql.v1+json", "Accept": "application/vnd.ksql.v1+json"}
	if x.RequestHeaders != nil {
		headers = *x.RequestHeaders
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	return r.http.Do(req)
}

// compare sends a request and compares its whole answer. What depends on
// queries' progress is asked again for a while.
func (r *replay) compare(x *exchange, body string) error {
	patience := time.Duration(0)
	if !x.known && (x.Status == http.StatusOK && strings.HasPrefix(x.Path, "/query") || strings.Contains(x.RequestBody, "EXTENDED")) {
		patience = comparePatience
	}
	over := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		resp, err := r.request(x, body)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
		r.noteIDs(x.text(), string(data))
		failure := r.compareAnswers(x, resp, string(data))
		if failure == nil {
			return nil
		}
		select {
		case <-over:
			return failure
		case <-again.C:
		}
	}
}

// comparePatience is how long queries may take to show what they showed when the
// recording was made.
const comparePatience = 2 * time.Second
