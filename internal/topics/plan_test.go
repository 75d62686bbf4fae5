package topics_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/registry"
	"github.com/orderflow/orderflow/internal/embeddedtest"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/topics"
	"github.com/orderflow/orderflow/schemas"
)

// startCluster brings up a broker and a registry and gives the ways to them.
func startCluster(t *testing.T) (kafka.Config, topics.Cluster) {
	t.Helper()
	cfg := embeddedtest.Start(t)
	client, err := kafka.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	reg, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	return cfg, topics.Cluster{Kafka: kadm.NewClient(client), Registry: reg.Client()}
}

// states gives the state of each item of a plan, by name.
func states(plan topics.Plan) map[string]topics.State {
	m := map[string]topics.State{}
	for _, item := range plan.Items {
		m[item.Name] = item.State
	}
	return m
}

func detail(plan topics.Plan, name string) string {
	for _, item := range plan.Items {
		if item.Name == name {
			return item.Detail
		}
	}
	return ""
}

func TestApplyMakesEverythingOnce(t *testing.T) {
	_, cluster := startCluster(t)
	def, err := topics.Load(schemas.Files)
	require.NoError(t, err)

	plan, err := topics.NewPlan(t.Context(), def, cluster)
	require.NoError(t, err)
	assert.Len(t, plan.Pending(), len(def.Topics)+len(def.Schemas))
	for _, item := range plan.Items {
		assert.Equal(t, topics.Create, item.State, item.Name)
	}
	require.NoError(t, plan.Apply(t.Context()))
	require.NoError(t, plan.Apply(t.Context()), "as does a second process that planned at the same time")

	again, err := topics.Apply(t.Context(), def, cluster)
	require.NoError(t, err)
	assert.Empty(t, again.Pending())

	details, err := cluster.Kafka.ListTopics(t.Context(), "orders.v1")
	require.NoError(t, err)
	assert.Len(t, details["orders.v1"].Partitions, 4)
	latest, err := cluster.Registry.SchemaByVersion(t.Context(), "customers-value", -1)
	require.NoError(t, err)
	assert.Equal(t, 1, latest.Version)
}

func TestDriftOfTopics(t *testing.T) {
	_, cluster := startCluster(t)
	definition := func(partitions int, retention string) topics.Definition {
		def, err := topics.Load(files(fmt.Sprintf(`{"partitions":%d,"replicas":-1,"topics":[{"name":"a","config":{"retention.ms":%q}}]}`, partitions, retention)))
		require.NoError(t, err)
		return def
	}
	_, err := topics.Apply(t.Context(), definition(2, "1000"), cluster)
	require.NoError(t, err)

	plan, err := topics.NewPlan(t.Context(), definition(2, "-1"), cluster)
	require.NoError(t, err)
	assert.Equal(t, topics.Change, states(plan)["a"])
	assert.Equal(t, "retention.ms: 1000 -> -1", detail(plan, "a"))
	require.NoError(t, plan.Apply(t.Context()))
	plan, err = topics.Apply(t.Context(), definition(2, "-1"), cluster)
	require.NoError(t, err)
	assert.Empty(t, plan.Pending())

	plan, err = topics.Apply(t.Context(), definition(3, "5"), cluster)
	require.ErrorIs(t, err, topics.ErrConflict)
	assert.ErrorContains(t, err, "has 2 partitions instead of 3")
	assert.Equal(t, topics.Conflict, states(plan)["a"])
	configs, err := cluster.Kafka.DescribeTopicConfigs(t.Context(), "a")
	require.NoError(t, err)
	for _, c := range configs[0].Configs {
		if c.Key == "retention.ms" {
			assert.Equal(t, "-1", c.MaybeValue(), "a plan with a conflict changes nothing")
		}
	}
}

func TestDriftOfSchemas(t *testing.T) {
	_, cluster := startCluster(t)
	definition := func(fields ...string) topics.Definition {
		def, err := topics.Load(files(`{}`, "a-value.avsc", `{"type":"record","name":"R","fields":[`+strings.Join(fields, ",")+`]}`))
		require.NoError(t, err)
		return def
	}
	x, y, z := `{"name":"x","type":"string"}`, `{"name":"y","type":"string","default":""}`, `{"name":"z","type":"string"}`
	_, err := topics.Apply(t.Context(), definition(x), cluster)
	require.NoError(t, err)

	plan, err := topics.Apply(t.Context(), definition(x, y), cluster)
	require.NoError(t, err)
	assert.Equal(t, topics.Change, states(plan)["a-value"])
	plan, err = topics.Apply(t.Context(), definition(x, y), cluster)
	require.NoError(t, err)
	assert.Equal(t, topics.Unchanged, states(plan)["a-value"])
	assert.Equal(t, "id 2, version 2", detail(plan, "a-value"))

	_, err = topics.Apply(t.Context(), definition(x), cluster)
	require.ErrorIs(t, err, topics.ErrConflict)
	assert.ErrorContains(t, err, "version 2 was registered after this one (version 1)")

	_, err = topics.Apply(t.Context(), definition(x, z), cluster)
	require.ErrorIs(t, err, topics.ErrConflict)
	assert.ErrorContains(t, err, "incompatible with version 2")
	assert.ErrorContains(t, err, "'z'")
}

func TestSample(t *testing.T) {
	cfg, cluster := startCluster(t)
	def, err := topics.Load(schemas.Files)
	require.NoError(t, err)
	_, err = topics.Apply(t.Context(), def, cluster)
	require.NoError(t, err)
	reg, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	encoder, err := reg.Encoder(t.Context(), "payments.v1-value")
	require.NoError(t, err)
	client, err := kafka.NewClient(cfg)
	require.NoError(t, err)
	defer client.Close()
	for i := range 10 {
		value, err := encoder.Encode(map[string]any{"id": fmt.Sprint("p", i), "orderId": "o", "ccy": "EUR", "amount": 1.5})
		require.NoError(t, err)
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "payments.v1", Key: fmt.Append(nil, "p", i), Value: value}).FirstErr())
	}
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "warehouse-inventory.v1", Key: []byte("JUMPERS"), Value: []byte{0, 0, 0, 9}}).FirstErr())
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "customers", Key: []byte{0, 0, 0, 0, 0, 0, 0, 5}}).FirstErr())

	sampler, err := topics.NewSampler(cfg)
	require.NoError(t, err)
	defer sampler.Close()
	names, err := sampler.Topics(t.Context())
	require.NoError(t, err)
	assert.Contains(t, names, "orders.v1")
	assert.NotContains(t, names, registry.DefaultTopic)

	records, err := sampler.Sample(t.Context(), "payments.v1", 2)
	require.NoError(t, err)
	require.Len(t, records, 2)
	assert.Equal(t, `"p9"`, records[1].Key)
	assert.JSONEq(t, `{"id":"p9","orderId":"o","ccy":"EUR","amount":1.5}`, records[1].Value)

	for topic, want := range map[string][2]string{"warehouse-inventory.v1": {`"JUMPERS"`, "9"}, "customers": {"5", "null"}} {
		records, err := sampler.Sample(t.Context(), topic, 3)
		require.NoError(t, err)
		require.Len(t, records, 1)
		assert.Equal(t, want, [2]string{records[0].Key, records[0].Value})
	}
	records, err = sampler.Sample(t.Context(), "orders.v1", 3)
	require.NoError(t, err)
	assert.Empty(t, records)
	_, err = sampler.Sample(t.Context(), "nothing", 3)
	require.ErrorContains(t, err, "nothing")
}

func TestNoRegistry(t *testing.T) {
	_, cluster := startCluster(t)
	gone, err := sr.NewClient(sr.URLs("http://127.0.0.1:1"))
	require.NoError(t, err)
	cluster.Registry = gone
	def, err := topics.Load(files(`{}`, "a-value.avsc", `"string"`))
	require.NoError(t, err)
	_, err = topics.NewPlan(t.Context(), def, cluster)
	require.ErrorContains(t, err, "a-value")
}
