package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/registry"
)

func startRegistry(t *testing.T, b *broker.Broker) *registry.Registry {
	t.Helper()
	r, err := registry.New(registry.Config{Addr: "127.0.0.1:0", Brokers: []string{b.Addr()}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, r.Stop()) })
	return r
}

func srClient(t *testing.T, addr string) *sr.Client {
	t.Helper()
	cl, err := sr.NewClient(sr.URLs("http://" + addr))
	require.NoError(t, err)
	return cl
}

func recordSchema(fields ...string) sr.Schema {
	var list []string
	for _, f := range fields {
		list = append(list, fmt.Sprintf(`{"name":%q,"type":"string"}`, f))
	}
	return sr.Schema{Schema: `{"type":"record","name":"R","fields":[` + strings.Join(list, ",") + `]}`}
}

func code(err error) int {
	var re *sr.ResponseError
	if errors.As(err, &re) {
		return re.ErrorCode
	}
	return 0
}

func TestAStopLosesNothing(t *testing.T) {
	b := startBroker(t)
	r := startRegistry(t, b)
	ctx := t.Context()
	cl := srClient(t, r.Addr())
	for _, subject := range []string{"a", "b", "gone", "half", ":.ctx:a"} {
		_, err := cl.RegisterSchema(ctx, subject, recordSchema("x", subject[len(subject)-1:]), 0, 0)
		require.NoError(t, err)
	}
	second, err := cl.CreateSchema(ctx, "a", recordSchema("x"))
	require.NoError(t, err)
	last, err := cl.CreateSchema(ctx, "erased", recordSchema("last"))
	require.NoError(t, err)
	for _, del := range []struct {
		subject string
		how     sr.DeleteHow
	}{{"gone", sr.SoftDelete}, {"gone", sr.HardDelete}, {"erased", sr.SoftDelete}, {"erased", sr.HardDelete}, {"half", sr.SoftDelete}} {
		_, err := cl.DeleteSubject(ctx, del.subject, del.how)
		require.NoError(t, err)
	}
	require.NoError(t, cl.DeleteSchema(ctx, "a", 1, sr.SoftDelete))
	require.NoError(t, cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFull}, "b")[0].Err)
	require.NoError(t, cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone})[0].Err)
	require.NoError(t, cl.SetMode(ctx, sr.ModeReadOnly, "b")[0].Err)

	before := snapshot(t, r.Addr())
	require.NoError(t, r.Stop())
	require.NoError(t, r.Stop())
	assert.Empty(t, r.Addr())
	require.NoError(t, r.Start(ctx))
	require.NoError(t, r.Start(ctx))
	assert.Equal(t, before, snapshot(t, r.Addr()))

	cl = srClient(t, r.Addr())
	again, err := cl.CreateSchema(ctx, "a", recordSchema("x"))
	require.NoError(t, err)
	assert.Equal(t, second.ID, again.ID)
	next, err := cl.CreateSchema(ctx, "new", recordSchema("new"))
	require.NoError(t, err)
	assert.Greater(t, next.ID, last.ID, "an id that was erased is not given again")
}

// snapshot is everything that can be read of a registry.
func snapshot(t *testing.T, addr string) map[string]string {
	t.Helper()
	answers := map[string]string{}
	for _, path := range []string{"/subjects?deleted=true", "/subjects", "/schemas?subjectPrefix=:*:&deleted=true", "/schemas?subjectPrefix=:*:", "/config", "/mode", "/contexts", "/config/b", "/mode/b"} {
		_, _, answers[path] = request(t, "http://"+addr, message{Method: http.MethodGet, Path: path})
	}
	return answers
}

func TestRecordsAreConfluents(t *testing.T) {
	b := startBroker(t)
	r := startRegistry(t, b)
	ctx := t.Context()
	cl := srClient(t, r.Addr())
	_, err := cl.CreateSchema(ctx, "s", sr.Schema{Schema: `{"type": "string"}`})
	require.NoError(t, err)
	_, err = cl.CreateSchema(ctx, "j", sr.Schema{Schema: `{}`, Type: sr.TypeJSON})
	require.NoError(t, err)
	require.NoError(t, cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFull})[0].Err)
	require.NoError(t, cl.SetMode(ctx, sr.ModeReadWrite, "s")[0].Err)
	_, err = cl.DeleteSubject(ctx, "s", sr.SoftDelete)
	require.NoError(t, err)
	_, err = cl.DeleteSubject(ctx, "s", sr.HardDelete)
	require.NoError(t, err)

	consumer, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumeTopics(registry.DefaultTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer consumer.Close()
	want := []string{
		`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1} {"subject":"s","version":1,"id":1,"schema":"\"string\"","deleted":false}`,
		`{"keytype":"SCHEMA","subject":"j","version":1,"magic":1} {"subject":"j","version":1,"id":2,"schemaType":"JSON","schema":"{}","deleted":false}`,
		`{"keytype":"CONFIG","subject":null,"magic":0} {"compatibilityLevel":"FULL"}`,
		`{"keytype":"MODE","subject":"s","magic":0} {"subject":"s","mode":"READWRITE"}`,
		`{"keytype":"DELETE_SUBJECT","subject":"s","magic":0} {"subject":"s","version":1}`,
		`{"keytype":"MODE","subject":"s","magic":0} `,
		`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1} `,
	}
	var got []string
	for len(got) < len(want) {
		fetches := consumer.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, fmt.Sprintf("%s %s", r.Key, r.Value)) })
	}
	assert.Equal(t, want, got)
	configs, err := kadm.NewClient(consumer).DescribeTopicConfigs(ctx, registry.DefaultTopic)
	require.NoError(t, err)
	for _, c := range configs[0].Configs {
		if c.Key == "cleanup.policy" {
			assert.Equal(t, "compact", c.MaybeValue())
		}
	}
}

func TestConfluentsRecordsAreRead(t *testing.T) {
	b := startBroker(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation())
	require.NoError(t, err)
	defer cl.Close()
	for _, r := range [][2]string{
		{`{"keytype":"NOOP","magic":0}`, ""},
		{`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}`, `{"subject":"s","version":1,"id":41,"md5":"x","schema":"\"string\"","deleted":false,"ts":1}`},
		{`{"keytype":"SOMETHING","magic":9}`, `{}`},
		{`not JSON`, `{}`},
		{`{"keytype":"CONFIG","subject":"s","magic":0}`, `{"compatibilityLevel":"NONE"}`},
	} {
		record := &kgo.Record{Topic: registry.DefaultTopic, Key: []byte(r[0]), Value: []byte(r[1])}
		if r[1] == "" {
			record.Value = nil
		}
		require.NoError(t, cl.ProduceSync(t.Context(), record).FirstErr())
	}
	reg := startRegistry(t, b)
	got, err := srClient(t, reg.Addr()).CreateSchema(t.Context(), "s", recordSchema("x"))
	require.NoError(t, err)
	assert.Equal(t, 42, got.ID)
	assert.Equal(t, 2, got.Version)
}

func TestManyRegisterTheSame(t *testing.T) {
	b := startBroker(t)
	r := startRegistry(t, b)
	cl := srClient(t, r.Addr())
	ids := make([]int, 16)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			s, err := cl.CreateSchema(t.Context(), fmt.Sprintf("s%d", i%4), recordSchema("x"))
			assert.NoError(t, err)
			ids[i] = s.ID
		})
	}
	all.Wait()
	for _, id := range ids {
		assert.Equal(t, 1, id)
	}
	for i := range 4 {
		versions, err := cl.SubjectVersions(t.Context(), fmt.Sprintf("s%d", i))
		require.NoError(t, err)
		assert.Equal(t, []int{1}, versions)
	}
}

// Clients send empty lists, or none: the content is the same.
func TestAnEmptyListOfReferencesIsNone(t *testing.T) {
	r := startRegistry(t, startBroker(t))
	schema := strings.ReplaceAll(recordSchema("x").Schema, `"`, `\"`)
	ids := map[string]bool{}
	for subject, more := range map[string]string{"a": "", "b": `,"references":[]`, "c": `,"references":null,"metadata":null`, "d": `,"references":[],"metadata":{}`, "e": `,"references":[]`} {
		resp, err := http.Post("http://"+r.Addr()+"/subjects/"+subject+"/versions", "application/json", strings.NewReader(`{"schema":"`+schema+`"`+more+`}`))
		require.NoError(t, err)
		var answer struct {
			ID int `json:"id"`
		}
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		ids[fmt.Sprint(answer.ID)] = true
	}
	assert.Len(t, ids, 1)
}

func TestAWriteThatIsNotAcknowledgedIsNotThere(t *testing.T) {
	b := startBroker(t)
	r := startRegistry(t, b)
	cl := srClient(t, r.Addr())
	_, err := cl.CreateSchema(t.Context(), "a", recordSchema("x"))
	require.NoError(t, err)
	// Without its topic, the registry can't write.
	kafka, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	require.NoError(t, err)
	defer kafka.Close()
	_, err = kadm.NewClient(kafka).DeleteTopic(t.Context(), registry.DefaultTopic)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = cl.CreateSchema(ctx, "b", recordSchema("y"))
	require.Error(t, err)
	assert.Equal(t, 50001, code(err))
	subjects, err := cl.Subjects(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, subjects)
}

func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	b := startBroker(t)
	r, err := registry.New(registry.Config{Addr: ln.Addr().String(), AddrSetting: "--schema-registry-listen", Brokers: []string{b.Addr()}})
	require.NoError(t, err)
	err = r.Start(t.Context())
	require.ErrorContains(t, err, "in use")
	assert.ErrorContains(t, err, "--schema-registry-listen")
	assert.NotContains(t, err.Error(), "\n")
}

func TestATopicOfAnotherShapeIsRefused(t *testing.T) {
	b := startBroker(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	require.NoError(t, err)
	defer cl.Close()
	_, err = kadm.NewClient(cl).CreateTopic(t.Context(), 2, 1, nil, registry.DefaultTopic)
	require.NoError(t, err)
	r, err := registry.New(registry.Config{Brokers: []string{b.Addr()}})
	require.NoError(t, err)
	require.ErrorContains(t, r.Load(t.Context()), "2 partitions")
}

func TestBeforeLoading(t *testing.T) {
	_, err := registry.New(registry.Config{})
	require.ErrorContains(t, err, "broker")
}

func TestEveryTypeIsCompared(t *testing.T) {
	b := startBroker(t)
	r := startRegistry(t, b)
	cl := srClient(t, r.Addr())
	for typ, versions := range map[sr.SchemaType][3]string{
		sr.TypeJSON:     {`{"type":"object"}`, `{"type":"object","title":"x"}`, `{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}}`},
		sr.TypeProtobuf: {`syntax = "proto3"; message A { int32 a = 1; }`, `syntax = "proto3"; message A { int32 a = 1; int32 b = 2; }`, `syntax = "proto3"; message A { string a = 1; }`},
	} {
		subject := typ.String()
		first, err := cl.CreateSchema(t.Context(), subject, sr.Schema{Schema: versions[0], Type: typ})
		require.NoError(t, err)
		same, err := cl.CreateSchema(t.Context(), subject, sr.Schema{Schema: versions[0], Type: typ})
		require.NoError(t, err)
		assert.Equal(t, first.ID, same.ID)
		second, err := cl.CreateSchema(t.Context(), subject, sr.Schema{Schema: versions[1], Type: typ})
		require.NoError(t, err)
		assert.Equal(t, 2, second.Version)
		_, err = cl.CreateSchema(t.Context(), subject, sr.Schema{Schema: versions[2], Type: typ})
		assert.Equal(t, http.StatusConflict, code(err))
	}
}

func TestReservedFields(t *testing.T) {
	b := startBroker(t)
	r := startRegistry(t, b)
	send := func(method, path, body string) (int, string) {
		status, _, answer := request(t, "http://"+r.Addr(), message{Method: method, Path: path, Text: &body})
		return status, answer
	}
	status, answer := send(http.MethodPut, "/config/r", `{"validateFields":true,"compatibility":"NONE"}`)
	require.Equal(t, http.StatusOK, status, answer)
	for typ, schema := range map[string]string{
		"AVRO":     `{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"cost\",\"type\":\"int\"}]}`,
		"JSON":     `{\"type\":\"object\",\"properties\":{\"cost\":{}}}`,
		"PROTOBUF": `syntax = \"proto3\"; message R { oneof o { int32 cost = 1; } }`,
	} {
		status, answer = send(http.MethodPost, "/subjects/r/versions", `{"schemaType":"`+typ+`","schema":"`+schema+`","metadata":{"properties":{"confluent:reserved":"cost, status"}}}`)
		assert.Equal(t, http.StatusConflict, status, typ)
		assert.Contains(t, answer, "conflicts with the reserved field cost.", typ)
	}
	status, answer = send(http.MethodPost, "/subjects/r/versions", `{"schemaType":"JSON","schema":"{}","metadata":{"properties":{"confluent:reserved":"cost"}}}`)
	require.Equal(t, http.StatusOK, status, answer)
	status, answer = send(http.MethodPost, "/subjects/r/versions", `{"schemaType":"JSON","schema":"true","metadata":{"properties":{"confluent:reserved":"other"}}}`)
	assert.Equal(t, http.StatusConflict, status)
	assert.Contains(t, answer, "reserved field cost removed")
	status, answer = send(http.MethodPost, "/subjects/r/versions", `{"schemaType":"JSON","schema":"{\"type\":\"object\",\"properties\":{\"$$x\":{}}}"}`)
	assert.Equal(t, http.StatusUnprocessableEntity, status)
	assert.Contains(t, answer, "$$ prefix")
}

func TestSettingsThatHaveNoEffectHereAreRefused(t *testing.T) {
	b := startBroker(t)
	r := startRegistry(t, b)
	body := `{"defaultRuleSet":{"domainRules":[]}}`
	status, _, answer := request(t, "http://"+r.Addr(), message{Method: http.MethodPut, Path: "/config", Text: &body})
	assert.Equal(t, http.StatusNotImplemented, status, answer)
}

func TestMetadataSettings(t *testing.T) {
	b := startBroker(t)
	r := startRegistry(t, b)
	put := func(body string) {
		status, _, answer := request(t, "http://"+r.Addr(), message{Method: http.MethodPut, Path: "/config/m", Text: &body})
		require.Equal(t, http.StatusOK, status, answer)
	}
	put(`{"compatibilityGroup":"major","defaultMetadata":{"properties":{"owner":"nobody","team":"x"}},"overrideMetadata":{"properties":{"team":"y"}}}`)
	cl := srClient(t, r.Addr())
	schema := recordSchema("x")
	schema.SchemaMetadata = &sr.SchemaMetadata{Properties: map[string]string{"owner": "me", "major": "1"}}
	got, err := cl.CreateSchema(t.Context(), "m", schema)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"owner": "me", "major": "1", "team": "y"}, got.SchemaMetadata.Properties)

	incompatible := recordSchema("other")
	incompatible.SchemaMetadata = &sr.SchemaMetadata{Properties: map[string]string{"major": "1"}}
	_, err = cl.CreateSchema(t.Context(), "m", incompatible)
	assert.Equal(t, http.StatusConflict, code(err))
	incompatible.SchemaMetadata.Properties["major"] = "2"
	_, err = cl.CreateSchema(t.Context(), "m", incompatible)
	require.NoError(t, err, "another group is not compared with")
}
