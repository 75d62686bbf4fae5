//go:build peers

package connect_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/peers"
)

// restStep is one request of the comparison. FILE, OUT and DIR in it are paths that
// both sides have of their own.
type restStep struct {
	method, path string
	body         string
	header       http.Header
	// wait says what both sides wait for before the request: "NAME STATE".
	wait string
	// only compares what an answer says of these settings; the classes that workers
	// have, and the texts that explain settings, are their own.
	only []string
}

const sourceConfig = `"connector.class":"FileStreamSource","value.converter":"org.apache.kafka.connect.storage.StringConverter","topic":"t","file":"FILE"`

func sourceWith(more string) string { return `{` + sourceConfig + more + `}` }

func create(name, more string) string {
	return `{"name":"` + name + `","config":` + sourceWith(more) + `}`
}

func get(path string) restStep       { return restStep{method: http.MethodGet, path: path} }
func put(path, body string) restStep { return restStep{method: http.MethodPut, path: path, body: body} }
func post(path, body string) restStep {
	return restStep{method: http.MethodPost, path: path, body: body}
}
func patch(path, body string) restStep {
	return restStep{method: http.MethodPatch, path: path, body: body}
}
func remove(path string) restStep          { return restStep{method: http.MethodDelete, path: path} }
func (s restStep) after(w string) restStep { s.wait = w; return s }

func (s restStep) with(header, value string) restStep {
	s.header = http.Header{header: {value}}
	return s
}

// validate checks a configuration and compares what is said of its settings.
func validate(class, body string, only ...string) restStep {
	return restStep{method: http.MethodPut, path: "/connector-plugins/" + class + "/config/validate", body: body, only: only}
}

const longSource = "org.apache.kafka.connect.file.FileStreamSourceConnector"

var restSteps = []restStep{
	get("/connectors"), get("/connectors/none"), get("/connectors/none/config"), get("/connectors/none/status"), get("/connectors/none/tasks"), get("/connectors/none/tasks-config"), get("/connectors/none/topics"), get("/connectors/none/offsets"),
	get("/connectors/none/tasks/0/status"), get("/connectors/none/tasks/x/status"), post("/connectors/none/tasks/0/restart", ""), post("/connectors/none/restart", ""), post("/connectors/none/restart?includeTasks=true", ""), put("/connectors/none/pause", ""), put("/connectors/none/resume", ""), put("/connectors/none/stop", ""),
	remove("/connectors/none"), remove("/connectors/none/offsets"), patch("/connectors/none/offsets", `{"offsets":[{"partition":{"a":1},"offset":{"b":2}}]}`), put("/connectors/none/topics/reset", ""), patch("/connectors/none/config", `{"a":"b"}`),
	get("/none"), get("/connectors/none/none"), post("/connectors/none", ""), put("/connectors", "{}"), patch("/connectors", "{}"), remove("/connectors"), post("/connector-plugins", "{}"), put("/admin/loggers", "{}"), post("/", "{}"), get("/connectors/"), get("//connectors"),
	get("/connectors").with("Accept", "text/plain"), get("/connectors").with("Accept", "application/xml, */*;q=0.1"), post("/connectors", `{"name":"x"}`).with("Content-Type", "text/plain"), post("/connectors", `{"name":"x"}`).with("Content-Type", "application/x-www-form-urlencoded"),
	post("/connectors", ``), post("/connectors", `{`), post("/connectors", `{"name"`), post("/connectors", `{"name":"a",}`), post("/connectors", `[]`), post("/connectors", `"a"`), post("/connectors", `null`), post("/connectors", `{}`), post("/connectors", `{"name":"a"}`), post("/connectors", `{"config":{}}`), post("/connectors", `{"name":"a","config":{}}`), post("/connectors", `{"name":"a","config":null}`), post("/connectors", `{"name":"a","config":[]}`), post("/connectors", `{"name":1,"config":{}}`),
	post("/connectors", `{"name":"a","config":{"connector.class":"FileStreamSource","topic":["x"]}}`), post("/connectors", `{"name":"a","config":{"connector.class":"FileStreamSource","topic":{"x":1}}}`), post("/connectors", `{"name":"a","config":{},"more":1}`), post("/connectors", `{'name':'a'}`), post("/connectors", `{"name":"a" "config":{}}`), post("/connectors", `{"name":tru}`),
	post("/connectors", `{"name":"a","config":{"name":"b",`+sourceConfig+`}}`), post("/connectors", create("a", `,"initial_state":"x"`)).after(""), remove("/connectors/a"),
	post("/connectors", `{"name":"a","config":`+sourceWith("")+`,"initial_state":"SLEEPING"}`), post("/connectors", `{"name":"a","config":`+sourceWith("")+`,"initial_state":5}`),
	post("/connectors", `{"name":"a","config":{"connector.class":"NoClass"}}`), post("/connectors", `{"name":"a","config":{"connector.class":""}}`), post("/connectors", `{"name":"","config":`+sourceWith("")+`}`), post("/connectors", `{"name":" ","config":`+sourceWith("")+`}`), post("/connectors", create("a/b c?d%", "")), get("/connectors/a%2Fb%20c%3Fd%25/config"), remove("/connectors/a%2Fb%20c%3Fd%25"),
	post("/connectors", `{"name":"a","config":{"connector.class":"FileStreamSource","file":"FILE"}}`), post("/connectors", create("a", `,"topic":""`)), post("/connectors", create("a", `,"tasks.max":"0"`)), post("/connectors", create("a", `,"tasks.max":"x"`)), post("/connectors", create("a", `,"tasks.max":""`)), post("/connectors", create("a", `,"batch.size":"many"`)), post("/connectors", create("a", `,"key.converter":"NoConverter"`)), post("/connectors", create("a", `,"key.converter":"`+longSource+`"`)), post("/connectors", create("a", `,"header.converter":"NoConverter"`)),
	post("/connectors", create("a", `,"value.converter":"org.apache.kafka.connect.json.JsonConverter","value.converter.schemas.enable":"maybe"`)), post("/connectors", create("a", `,"transforms":"t"`)), post("/connectors", create("a", `,"transforms":"t","transforms.t.type":"NoTransform"`)), post("/connectors", create("a", `,"transforms":"t","transforms.t.type":"org.apache.kafka.connect.transforms.HoistField"`)), post("/connectors", create("a", `,"transforms":"t","transforms.t.type":"org.apache.kafka.connect.transforms.HoistField$Value"`)),
	post("/connectors", create("a", `,"transforms":"t,t"`)), post("/connectors", create("a", `,"transforms":"t","transforms.t.type":"org.apache.kafka.connect.transforms.Filter","transforms.t.predicate":"p"`)), post("/connectors", create("a", `,"transforms":"t","transforms.t.type":"org.apache.kafka.connect.transforms.Filter","transforms.t.negate":"true"`)), post("/connectors", create("a", `,"predicates":"p","predicates.p.type":"NoPredicate"`)), post("/connectors", create("a", `,"predicates":"p","predicates.p.type":"org.apache.kafka.connect.transforms.predicates.TopicNameMatches"`)), post("/connectors", create("a", `,"predicates":"p,p"`)),
	post("/connectors", create("a", `,"errors.tolerance":"some"`)), post("/connectors", create("a", `,"errors.retry.timeout":"x"`)), post("/connectors", create("a", `,"errors.log.enable":"yes"`)), post("/connectors", create("a", `,"config.action.reload":"never"`)), post("/connectors", create("a", `,"tasks.max.enforce":"x"`)), post("/connectors", create("a", `,"errors.retry.delay.max.ms":""`)),
	post("/connectors", `{"name":"k","config":{"connector.class":"FileStreamSink","file":"OUT"}}`), post("/connectors", `{"name":"k","config":{"connector.class":"FileStreamSink","file":"OUT","topics":"a","topics.regex":"b"}}`), post("/connectors", `{"name":"k","config":{"connector.class":"FileStreamSink","file":"OUT","topics.regex":"["}}`), post("/connectors", `{"name":"k","config":{"connector.class":"FileStreamSink","file":"OUT","topics":""}}`), post("/connectors", `{"name":"k","config":{"connector.class":"FileStreamSink","file":"OUT","topics":"a","errors.deadletterqueue.topic.name":"a"}}`), post("/connectors", `{"name":"k","config":{"connector.class":"FileStreamSink","file":"OUT","topics.regex":".*","errors.deadletterqueue.topic.name":"a"}}`), post("/connectors", `{"name":"k","config":{"connector.class":"FileStreamSink","file":"OUT","topics":"a","errors.deadletterqueue.topic.replication.factor":"x"}}`),
	get("/connectors"),
	// One that runs.
	post("/connectors", create("run", `,"unknown.key":"kept"`)), post("/connectors", create("run", "")).after("run RUNNING"), get("/connectors"), get("/connectors?expand=info"), get("/connectors?expand=status"), get("/connectors?expand=status&expand=info"), get("/connectors?expand=none"),
	get("/connectors/run"), get("/connectors/run/config"), get("/connectors/run/status"), get("/connectors/run/tasks"), get("/connectors/run/tasks-config"), get("/connectors/run/tasks/0/status"), get("/connectors/run/tasks/1/status"), get("/connectors/run/tasks/0"), post("/connectors/run/tasks/0/restart", "").after(""), post("/connectors/run/tasks/7/restart", "").after("run RUNNING"), post("/connectors/run/tasks/x/restart", ""),
	patch("/connectors/run/offsets", `{"offsets":[{"partition":{"filename":"FILE"},"offset":{"position":4}}]}`), remove("/connectors/run/offsets"), patch("/connectors/run/offsets", `{}`), patch("/connectors/run/offsets", ``), patch("/connectors/run/offsets", `{"offsets":[]}`), patch("/connectors/run/offsets", `{"offsets":5}`),
	put("/connectors/run/config", `{"name":"other"}`), put("/connectors/run/config", ``), put("/connectors/run/config", `null`), put("/connectors/run/config", `{}`), put("/connectors/run/config", `[]`), put("/connectors/run/config", sourceWith(`,"tasks.max":"none"`)), put("/connectors/run/config", sourceWith(`,"batch.size":"5","value.converter":"org.apache.kafka.connect.storage.StringConverter"`)), get("/connectors/run/config").after("run RUNNING"),
	patch("/connectors/run/config", `{"batch.size":"6","fresh":"x"}`), patch("/connectors/run/config", `{"fresh":null}`).after("run RUNNING"), patch("/connectors/run/config", `{"batch.size":"x"}`), patch("/connectors/run/config", `{"batch.size":7}`), patch("/connectors/run/config", `[]`), patch("/connectors/run/config", ``), patch("/connectors/run/config", `{}`), patch("/connectors/run/config", `{"topic":null}`), get("/connectors/run/config").after("run RUNNING"),
	post("/connectors/run/restart?includeTasks=maybe", ""), post("/connectors/run/restart?onlyFailed=true", "").after("run RUNNING"), post("/connectors/run/restart?includeTasks=true&onlyFailed=true", "").after("run RUNNING"), post("/connectors/run/restart?includeTasks=true", "").after("run RUNNING"), post("/connectors/run/restart", "").after("run RUNNING"),
	put("/connectors/run/pause", "").after("run RUNNING"), get("/connectors/run/status").after("run PAUSED"), put("/connectors/run/pause", ""), post("/connectors/run/restart", ""), remove("/connectors/run/offsets"), put("/connectors/run/resume", ""), get("/connectors/run/status").after("run RUNNING"), put("/connectors/run/resume", ""),
	get("/connectors/run/topics"), put("/connectors/run/topics/reset", ""), put("/connectors/run/stop", "").after("run RUNNING"), get("/connectors/run/status").after("run STOPPED"), get("/connectors/run/tasks"), get("/connectors/run"), get("/connectors/run/offsets"), put("/connectors/run/stop", ""), post("/connectors/run/restart", ""), post("/connectors/run/restart?includeTasks=true", ""),
	patch("/connectors/run/offsets", `{"offsets":[{"partition":{"filename":"FILE"},"offset":{"position":4}}]}`), get("/connectors/run/offsets"), patch("/connectors/run/offsets", `{"offsets":[{"partition":{"filename":"FILE"},"offset":{"position":"4"}}]}`), patch("/connectors/run/offsets", `{"offsets":[{"partition":{"filename":"FILE"},"offset":{"position":-4}}]}`), patch("/connectors/run/offsets", `{"offsets":[{"partition":{"filename":"FILE"},"offset":{}}]}`), patch("/connectors/run/offsets", `{"offsets":[{"partition":{"x":"FILE"},"offset":{"position":4}}]}`), patch("/connectors/run/offsets", `{"offsets":[{"partition":null,"offset":{"position":4}}]}`), patch("/connectors/run/offsets", `{"offsets":[{"offset":{"position":4}}]}`), patch("/connectors/run/offsets", `{"offsets":[{"partition":{"filename":"FILE"}}]}`),
	get("/connectors/run/offsets"), patch("/connectors/run/offsets", `{"offsets":[{"partition":{"filename":"FILE"},"offset":{"position":1.5}}]}`), remove("/connectors/run/offsets"), get("/connectors/run/offsets"), put("/connectors/run/resume", ""), remove("/connectors/run").after("run RUNNING"), get("/connectors/run"), get("/connectors/run/status"), remove("/connectors/run"),
	// States to begin with.
	post("/connectors", `{"name":"st","config":`+sourceWith("")+`,"initial_state":"STOPPED"}`), get("/connectors/st/status").after("st STOPPED"), get("/connectors/st/offsets"), patch("/connectors/st/offsets", `{"offsets":[{"partition":{"filename":"FILE"},"offset":{"position":8}}]}`), get("/connectors/st/offsets"), remove("/connectors/st"),
	post("/connectors", `{"name":"pa","config":`+sourceWith("")+`,"initial_state":"paused"}`), get("/connectors/pa/status").after("pa PAUSED"), remove("/connectors/pa"),
	// A sink.
	put("/connectors/sink/config", `{"connector.class":"FileStreamSink","file":"OUT","value.converter":"org.apache.kafka.connect.storage.StringConverter","topics":"t","tasks.max":"2"}`), get("/connectors/sink/status").after("sink RUNNING"), get("/connectors/sink/tasks"), get("/connectors/sink"), put("/connectors/sink/stop", ""), patch("/connectors/sink/offsets", `{"offsets":[{"partition":{"kafka_topic":"t","kafka_partition":0},"offset":{"kafka_offset":1}}]}`).after("sink STOPPED"), get("/connectors/sink/offsets"),
	patch("/connectors/sink/offsets", `{"offsets":[{"partition":{"kafka_topic":"t"},"offset":{"kafka_offset":1}}]}`), patch("/connectors/sink/offsets", `{"offsets":[{"partition":{"kafka_topic":"t","kafka_partition":"x"},"offset":{"kafka_offset":1}}]}`), patch("/connectors/sink/offsets", `{"offsets":[{"partition":{"kafka_topic":"t","kafka_partition":"0"},"offset":{"kafka_offset":"1"}}]}`), patch("/connectors/sink/offsets", `{"offsets":[{"partition":{"kafka_topic":"t","kafka_partition":0},"offset":{"x":1}}]}`), patch("/connectors/sink/offsets", `{"offsets":[{"partition":{"kafka_topic":"t","kafka_partition":0},"offset":{"kafka_offset":"x"}}]}`), patch("/connectors/sink/offsets", `{"offsets":[{"partition":null,"offset":{"kafka_offset":1}}]}`), patch("/connectors/sink/offsets", `{"offsets":[{"partition":{"kafka_topic":"t","kafka_partition":0},"offset":null}]}`),
	get("/connectors/sink/offsets"), remove("/connectors/sink/offsets"), remove("/connectors/sink"),
	// One that fails.
	put("/connectors/bad/config", `{"connector.class":"FileStreamSink","file":"DIR/no/such/folder","value.converter":"org.apache.kafka.connect.storage.StringConverter","topics":"t"}`), post("/connectors/bad/restart?includeTasks=true&onlyFailed=true", "").after("bad FAILED"), get("/connectors/bad").after("bad FAILED"), put("/connectors/bad/pause", ""), remove("/connectors/bad"),
	// Plug-ins.
	get("/connector-plugins/NoPlugin/config"), get("/connector-plugins/FileStreamSink/config").onlyOf("file", "topics", "name", "tasks.max", "errors.tolerance"), get("/connector-plugins/"+longSource+"/config").onlyOf("file", "topic", "batch.size", "transforms"),
	validate("FileStreamSource", `{}`), validate("FileStreamSource", ``), validate("FileStreamSource", `null`), validate("FileStreamSource", `{"connector.class":""}`), validate("FileStreamSource", `{"connector.class":"FileStreamSink"}`), validate("FileStreamSource", `{"connector.class":"NoClass"}`), validate("NoClass", `{"connector.class":"FileStreamSource"}`),
	validate("FileStreamSource", sourceWith(""), "*"), validate(longSource, sourceWith(`,"name":"x"`), "*"), validate("FileStreamSourceConnector", sourceWith(`,"name":""`), "*"), validate("FileStreamSink", `{"connector.class":"FileStreamSink","topics":"a","file":"OUT","name":"x"}`, "*"), validate("FileStreamSource", sourceWith(`,"name":"x","transforms":"a,b","transforms.a.type":"org.apache.kafka.connect.transforms.InsertField$Value","transforms.a.topic.field":"t","transforms.b.type":"org.apache.kafka.connect.transforms.Filter","transforms.b.predicate":"p","predicates":"p","predicates.p.type":"org.apache.kafka.connect.transforms.predicates.HasHeaderKey"`), "*"),
	validate("FileStreamSource", sourceWith(`,"name":"x","transforms":"c","transforms.c.type":"org.apache.kafka.connect.transforms.Cast$Value","transforms.c.spec":"int8,int16"`), "*"), validate("FileStreamSource", sourceWith(`,"name":"x","transforms":"c","transforms.c.type":"org.apache.kafka.connect.transforms.ReplaceField$Value","transforms.c.renames":"a:b:c"`), "*"),
	validate("FileStreamSource", sourceWith(`,"name":"x","key.converter":"org.apache.kafka.connect.json.JsonConverter","key.converter.schemas.cache.size":"-1","value.converter":"org.apache.kafka.connect.storage.StringConverter","value.converter.encoding":"x"`), "*"), validate("FileStreamSource", sourceWith(`,"name":"x","header.converter":"org.apache.kafka.connect.storage.SimpleHeaderConverter"`), "*"),
	// Loggers.
	get("/admin/loggers/none"), put("/admin/loggers/none", `{"level":"LOUD"}`), put("/admin/loggers/none", `{}`), put("/admin/loggers/none", `{"level":null}`), put("/admin/loggers/none", ``), put("/admin/loggers/a.b", `{"level":"debug"}`), get("/admin/loggers/a.b").onlyOf("level"), put("/admin/loggers/a.b?scope=cluster", `{"level":"WARN"}`), put("/admin/loggers/a.b?scope=other", `{"level":"WARN"}`), put("/admin/loggers/a.b?scope=worker", `{"level":"WARN"}`),
}

// pluginClasses are all that comes with Apache Kafka and has settings.
func pluginClasses() []string {
	var list []string
	for _, name := range []string{"Cast", "ExtractField", "Flatten", "HeaderFrom", "HoistField", "InsertField", "MaskField", "ReplaceField", "SetSchemaMetadata", "TimestampConverter"} {
		list = append(list, "transforms."+name+"$Key", "transforms."+name+"$Value")
	}
	for _, name := range []string{"DropHeaders", "Filter", "InsertHeader", "RegexRouter", "TimestampRouter", "ValueToKey", "predicates.HasHeaderKey", "predicates.RecordIsTombstone", "predicates.TopicNameMatches"} {
		list = append(list, "transforms."+name)
	}
	for _, name := range []string{"ByteArray", "Short", "Integer", "Long", "Float", "Double", "Boolean"} {
		list = append(list, "converters."+name+"Converter")
	}
	list = append(list, "json.JsonConverter", "storage.StringConverter", "storage.SimpleHeaderConverter")
	for i := range list {
		list[i] = "org.apache.kafka.connect." + list[i]
	}
	return list
}

func (s restStep) onlyOf(names ...string) restStep { s.only = append([]string{""}, names...); return s }

// restSide sends steps to one side.
type restSide struct {
	peerSide
	dir string
}

var (
	workerID   = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	frames     = regexp.MustCompile(`(\\r)?\\n\\tat [^"\\]*|(\\r)?\\n\\t\.\.\. \d+ more`)
	sourceText = regexp.MustCompile(`(PluginDesc\{[^}]*\}(, )?)+`)
	regexText  = regexp.MustCompile(`Invalid regex: .*?(\\n\[\\n\^|\x60\[\x60)`)
	clusterID  = regexp.MustCompile(`"kafka_cluster_id":"[^"]*"|"commit":"[^"]*"`)
)

func (s restSide) paths(text string) string {
	return strings.NewReplacer("FILE", filepath.Join(s.dir, "in.txt"), "OUT", filepath.Join(s.dir, "out.txt"), "DIR", s.dir).Replace(text)
}

// send waits for what a step waits for and gives the answer without what is a side's
// own.
func (s restSide) send(step restStep) string {
	if name, state, ok := strings.Cut(step.wait, " "); ok {
		if state == "FAILED" {
			s.waitFailed(name)
		} else if state == "RUNNING" {
			s.waitRunning(name)
		} else {
			s.waitState(name, state)
		}
	}
	header := step.header
	if header == nil {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	var body any
	if step.body != "" {
		body = []byte(s.paths(step.body))
	}
	res := s.requestWith(step.method, step.path, body, header)
	return fmt.Sprintf("%d %s", res.status, s.comparable(step, res.body))
}

func (s restSide) comparable(step restStep, body []byte) string {
	text := strings.ReplaceAll(string(body), s.dir, "DIR")
	text = workerID.ReplaceAllString(text, "WORKER")
	text = frames.ReplaceAllString(text, "")
	text = sourceText.ReplaceAllString(text, "PLUGIN")
	text = regexText.ReplaceAllString(text, "Invalid regex")
	text = clusterID.ReplaceAllString(text, "")
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	v = trimmed(v, step.only)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // it came from JSON
	return strings.TrimSpace(out.String())
}

// trimmed leaves out the texts that explain settings and lists of classes, and keeps
// of a list of settings those that are compared.
func trimmed(v any, only []string) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "documentation")
		delete(v, "recommended_values")
		delete(v, "last_modified")
		for k := range v {
			if text, ok := v[k].(string); ok && k == "trace" {
				v[k] = strings.TrimSpace(text)
			} else {
				v[k] = trimmed(v[k], only)
			}
		}
	case []any:
		var kept []any
		for _, e := range v {
			kept = append(kept, trimmed(e, only))
		}
		slices.SortStableFunc(kept, func(a, b any) int { return strings.Compare(settingName(a), settingName(b)) })
		if len(only) > 0 && only[0] != "*" {
			kept = slices.DeleteFunc(kept, func(e any) bool { name := settingName(e); return name != "" && !slices.Contains(only, name) })
		}
		return kept
	}
	return v
}

// settingName is what a list of settings is sorted by.
func settingName(v any) string {
	m, _ := v.(map[string]any)
	if def, ok := m["definition"].(map[string]any); ok {
		m = def
	}
	name, _ := m["name"].(string)
	return name
}

// differing leaves out of long answers the parts that they have in common.
func differing(real, ours string) (string, string) {
	const part, short = `{"definition":`, 2000
	if len(real) < short {
		return real, ours
	}
	a, b := strings.Split(real, part), strings.Split(ours, part)
	onlyIn := func(list, other []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(list), func(e string) bool { return slices.Contains(other, e) }), "\n")
	}
	return onlyIn(a, b), onlyIn(b, a)
}

// TestPeerConnectREST sends the same requests to a real worker and to ours.
func TestPeerConnectREST(t *testing.T) {
	brokers := startBroker(t)
	worker := peers.StartConnect(t, peers.ConnectConfig{Brokers: brokers})
	sides := []restSide{{peerSide{t, worker.URL, brokers}, t.TempDir()}, {startEmbedded(t, nil), t.TempDir()}}
	for _, side := range sides {
		side.createTopic("t")
		require.NoError(t, os.WriteFile(filepath.Join(side.dir, "in.txt"), []byte("one\ntwo\n"), 0o600))
	}
	steps := slices.Clone(restSteps)
	for _, class := range pluginClasses() {
		steps = append(steps, restStep{method: http.MethodGet, path: "/connector-plugins/" + class + "/config", only: []string{"*"}})
	}
	alike, differ := 0, 0
	for i, step := range steps {
		real, ours := sides[0].send(step), sides[1].send(step)
		if real == ours {
			alike++
			continue
		}
		differ++
		real, ours = differing(real, ours)
		t.Errorf("%d: %s %s %s\nreal: %s\nours: %s", i, step.method, step.path, step.body, real, ours)
	}
	t.Logf("connect: %d of %d requests alike", alike, len(steps))
}
