package connect_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// scenario is a recorded run of one connector.
type scenario struct {
	Name     string
	Config   map[string]any
	Events   []event
	Subjects []struct {
		Subject string
		Version int
		Schema  string
	}
}

type event struct {
	Do        string
	SQL       []string
	Request   json.RawMessage
	Response  message
	Body      json.RawMessage
	Since     string
	Records   []recordedRecord
	Signal    string
	Topic     string
	Schema    json.RawMessage
	Exchanges []struct {
		Request  message
		Response struct {
			Status int
			Fault  string
			Text   string
			JSON   json.RawMessage
		}
	}
}

type recordedRecord struct {
	Topic     string
	KeyHex    *string
	ValueHex  *string
	KeyText   *string
	ValueText *string
	Key       json.RawMessage
	Value     json.RawMessage
	Headers   [][]string
}

// replayScenario does what the recorder did and gives the first difference.
func replayScenario(t *testing.T, unit string, sc scenario) error {
	s := newStackThatFlushes(t, recordedFlush)
	es := newFakeElasticsearch(s)
	r := &replay{mapping: mapping{s: s, es: es.URL, unit: unit}, sc: sc, elasticsearch: es, seen: map[string]int{}, ids: map[uint32]uint32{}}
	r.planFaults()
	for i, e := range r.inOrder() {
		if err := r.step(e); err != nil {
			return fmt.Errorf("event %d (%s): %w", i, e.Do, err)
		}
	}
	return r.finish()
}

// inOrder gives the events so that what was written while the recorded worker
// still started is there before this one, which is quicker, starts.
func (r *replay) inOrder() []event {
	events := slices.Clone(r.sc.Events)
	for i := range events {
		if events[i].Do == "worker restart" && i+1 < len(events) && events[i+1].Do == "sql" {
			events[i], events[i+1] = events[i+1], events[i]
			events = slices.Insert(events, i, event{Do: "worker stop"})
		}
	}
	return events
}

// planFaults has the fake answer what the recorder's proxy answered in place of
// Elasticsearch.
func (r *replay) planFaults() {
	for _, e := range r.sc.Events {
		for _, x := range e.Exchanges {
			if x.Response.Fault == "" || x.Request.Text == nil {
				continue
			}
			status, text := x.Response.Status, x.Response.Text
			if text == "" {
				status = 0
			}
			r.elasticsearch.planned = append(r.elasticsearch.planned, plannedFault{fault{status, text}, actions(*x.Request.Text)})
		}
	}
}

type replay struct {
	mapping
	sc            scenario
	elasticsearch *fakeElasticsearch
	seen          map[string]int // records read of each topic
	ids           map[uint32]uint32
	sent          []string // the recorded sink's bulk lines
}

func (r *replay) step(e event) error {
	switch e.Do {
	case "sql":
		r.s.exec(r.s.database(r.sc.Name+".db"), e.SQL...)
	case "registry":
		var request string
		if err := json.Unmarshal(e.Request, &request); err != nil {
			return err
		}
		method, path, _ := strings.Cut(request, " ")
		req, err := http.NewRequest(method, r.s.registryURL+path, bytes.NewReader(e.Body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := r.s.http.Do(req)
		if err != nil {
			return err
		}
		return res.Body.Close()
	case "create":
		return r.create(e)
	case "rest":
		var request message
		if err := json.Unmarshal(e.Request, &request); err != nil {
			return err
		}
		return r.ask(exchange{Request: request, Response: e.Response}, dropTaskConfigs)
	case "records":
		return r.records(e)
	case "worker stop":
		return r.s.server.Stop()
	case "worker restart":
		if e.Signal == "KILL" {
			r.s.kill()
		} else {
			r.s.restart()
		}
	case "produce":
		return r.produce(e)
	case "http":
		return r.http(e)
	}
	return nil
}

// dropTaskConfigs takes out what the recordings shorten.
func dropTaskConfigs(v any) {
	if list, ok := v.([]any); ok {
		for _, x := range list {
			if m, ok := x.(map[string]any); ok {
				delete(m, "config")
			}
		}
	}
}

func (r *replay) create(e event) error {
	config := map[string]any{}
	for k, v := range r.sc.Config {
		config[k] = v
		if text, ok := v.(string); ok {
			config[k] = r.here(text)
		}
	}
	prefix := "es-"
	if config["mode"] != nil || strings.Contains(fmt.Sprint(config["connector.class"]), "Jdbc") {
		prefix = "jdbc-"
	}
	raw, err := json.Marshal(map[string]any{"name": prefix + r.sc.Name, "config": config})
	if err != nil {
		return err
	}
	text := string(raw)
	want := e.Response
	return r.ask(exchange{Request: message{Method: http.MethodPost, Path: "/connectors", Text: &text}, Response: want}, func(v any) {
		if m, ok := v.(map[string]any); ok {
			delete(m, "config")
		}
	})
}

// looking is how long it was looked at a condition last time.
type looking time.Duration

// again passes the time until the next look at a condition, longer each time.
func (l *looking) again() {
	*l = looking(min(max(2*time.Duration(*l), 5*time.Millisecond), 250*time.Millisecond))
	<-time.After(time.Duration(*l))
}

// quiet is how long nothing may come for records to be taken as all: longer than
// any interval of polls that the recordings have.
const quiet = 6 * time.Second

func (r *replay) records(e event) error {
	if e.Since == "" {
		return nil // the dead letter queue
	}
	byTopic := map[string][]recordedRecord{}
	for _, record := range e.Records {
		byTopic[record.Topic] = append(byTopic[record.Topic], record)
	}
	for topic, want := range byTopic {
		deadline := time.Now().Add(settleFor(r.unit))
		var look looking
		for r.s.end(topic) < int64(r.seen[topic]+len(want)) {
			if time.Now().After(deadline) {
				return fmt.Errorf("since %s: topic %s got %d records, recorded %d", e.Since, topic, r.s.end(topic)-int64(r.seen[topic]), len(want))
			}
			look.again()
		}
		for i, got := range r.s.records(topic, r.seen[topic], len(want)) {
			if i < len(want) {
				if err := compareRecord(want[i], got); err != nil {
					return fmt.Errorf("since %s: topic %s record %d: %w", e.Since, topic, i, err)
				}
			}
		}
		r.seen[topic] += len(want)
	}
	if len(byTopic) == 0 {
		<-time.After(quiet)
	}
	for topic, count := range r.seen {
		if end := r.s.end(topic); end != int64(count) {
			return fmt.Errorf("since %s: topic %s has %d records, recorded %d", e.Since, topic, end, count)
		}
	}
	return nil
}

func compareRecord(want recordedRecord, got *kgo.Record) error {
	for _, part := range []struct {
		name string
		hex  *string
		text *string
		json json.RawMessage
		got  []byte
	}{{"key", want.KeyHex, want.KeyText, want.Key, got.Key}, {"value", want.ValueHex, want.ValueText, want.Value, got.Value}} {
		switch {
		case part.text != nil:
			if *part.text != string(part.got) {
				return fmt.Errorf("%s %s, recorded %s", part.name, part.got, *part.text)
			}
		case part.hex != nil:
			wantHex, gotHex := *part.hex, hex.EncodeToString(part.got)
			if bytes.Contains(part.json, []byte("schemaId")) && len(wantHex) >= 10 && len(gotHex) >= 10 {
				wantHex, gotHex = wantHex[10:], gotHex[10:]
			}
			if wantHex != gotHex {
				return fmt.Errorf("%s %s, recorded %s", part.name, gotHex, wantHex)
			}
		case part.got != nil:
			return fmt.Errorf("%s %x, recorded none", part.name, part.got)
		}
	}
	if len(want.Headers) != len(got.Headers) {
		return fmt.Errorf("%d headers, recorded %d", len(got.Headers), len(want.Headers))
	}
	return nil
}

func (r *replay) produce(e event) error {
	admin := kadm.NewClient(r.s.client)
	if _, err := admin.CreateTopic(context.Background(), 1, 1, nil, e.Topic); err != nil && r.seen["topic "+e.Topic] > 0 {
		return err
	}
	for _, record := range e.Records {
		raw := &kgo.Record{Topic: e.Topic, Partition: 0}
		for _, part := range []struct {
			from *string
			to   *[]byte
		}{{record.KeyHex, &raw.Key}, {record.ValueHex, &raw.Value}} {
			if part.from == nil {
				continue
			}
			b, err := hex.DecodeString(*part.from)
			if err != nil {
				return err
			}
			*part.to = b
		}
		for _, h := range record.Headers {
			raw.Headers = append(raw.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
		var err error
		if raw.Value, err = r.translate(raw.Value, record.Value); err != nil {
			return err
		}
		if err := r.s.client.ProduceSync(context.Background(), raw).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// orderSchema is the schema of the recorded orders.
const orderSchema = `{"type":"record","name":"Order","namespace":"orderflow","fields":[{"name":"id","type":"string"},{"name":"customerId","type":"long"},{"name":"state","type":{"type":"enum","name":"OrderState","symbols":["CREATED","VALIDATED","FAILED","SHIPPED"]}},{"name":"product","type":{"type":"enum","name":"Product","symbols":["JUMPERS","UNDERPANTS","STOCKINGS"]}},{"name":"quantity","type":"int"},{"name":"price","type":"double"}]}`

// translate puts the id that the schema has here into a recorded value.
func (r *replay) translate(raw []byte, value json.RawMessage) ([]byte, error) {
	if len(raw) < 5 || raw[0] != 0 {
		return raw, nil
	}
	schema := orderSchema
	for _, e := range r.sc.Events {
		if e.Do == "schema" {
			schema = string(e.Schema)
		}
	}
	body, err := json.Marshal(map[string]string{"schema": schema})
	if err != nil {
		return nil, err
	}
	res, err := r.s.http.Post(r.s.registryURL+"/subjects/recorded-value/versions", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var answer struct{ ID uint32 }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return nil, err
	}
	return append([]byte{0, byte(answer.ID >> 24), byte(answer.ID >> 16), byte(answer.ID >> 8), byte(answer.ID)}, raw[5:]...), nil
}

// http waits until the sink has sent what the recorded one sent. How records that
// arrive together are cut into requests may differ.
func (r *replay) http(e event) error {
	for _, x := range e.Exchanges {
		if strings.HasPrefix(x.Request.Path, "/_bulk") && x.Request.Text != nil && x.Response.Fault == "" {
			r.sent = append(r.sent, actions(*x.Request.Text)...)
		}
	}
	deadline := time.Now().Add(settleFor(r.unit))
	var look looking
	for {
		missing := ""
		got := actions(r.elasticsearch.bulkText())
		for _, line := range r.sent {
			if !slices.Contains(got, line) {
				missing = line
			}
		}
		if missing == "" {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the sink did not send %s; it sent %q", missing, got)
		}
		look.again()
	}
	for _, x := range e.Exchanges {
		if x.Request.Path == "/" || strings.HasPrefix(x.Request.Path, "/_bulk") {
			continue
		}
		for !r.elasticsearch.asked(x.Request.Method+" "+x.Request.Path) && time.Now().Before(deadline) {
			look.again()
		}
		asked := r.elasticsearch.asked(x.Request.Method + " " + x.Request.Path)
		r.elasticsearch.mu.Lock()
		path, _, _ := strings.Cut(strings.TrimPrefix(x.Request.Path, "/"), "?")
		mapping := r.elasticsearch.mappings[path]
		r.elasticsearch.mu.Unlock()
		if !asked {
			return fmt.Errorf("the sink did not send %s %s", x.Request.Method, x.Request.Path)
		}
		if x.Request.Method == http.MethodPut && strings.HasSuffix(path, "/_mapping") && !same(parse(x.Request.JSON), parse([]byte(mapping))) {
			return fmt.Errorf("the sink sent the mapping %s, recorded %s", mapping, x.Request.JSON)
		}
	}
	return nil
}

// actions cuts a bulk request into its actions with their documents.
func actions(text string) []string {
	var list []string
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		action := lines[i]
		if !strings.HasPrefix(action, `{"delete"`) && i+1 < len(lines) {
			i++
			action += "\n" + lines[i]
		}
		list = append(list, action)
	}
	return list
}

// finish compares the registry's subjects.
func (r *replay) finish() error {
	for _, want := range r.sc.Subjects {
		got, err := r.s.sr.SchemaByVersion(context.Background(), want.Subject, want.Version)
		if err != nil {
			return fmt.Errorf("subject %s version %d: %w", want.Subject, want.Version, err)
		}
		if !same(parse([]byte(want.Schema)), parse([]byte(got.Schema.Schema))) {
			return fmt.Errorf("subject %s version %d: got %s, recorded %s", want.Subject, want.Version, got.Schema.Schema, want.Schema)
		}
	}
	return nil
}
