package topics_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/topics"
	"github.com/orderflow/orderflow/schemas"
)

func files(topicsJSON string, schemas ...string) fstest.MapFS {
	fsys := fstest.MapFS{topics.DefinitionFile: {Data: []byte(topicsJSON)}}
	for i := 0; i+1 < len(schemas); i += 2 {
		fsys[schemas[i]] = &fstest.MapFile{Data: []byte(schemas[i+1])}
	}
	return fsys
}

func TestLoad(t *testing.T) {
	def, err := topics.Load(files(`{"partitions":4,"replicas":-1,"topics":[
		{"name":"a"},{"name":"b","partitions":1,"replicas":3,"config":{"cleanup.policy":"compact"}}]}`,
		"b-value.avsc", `"string"`, "a-value.avsc", `"long"`))
	require.NoError(t, err)
	assert.Equal(t, topics.Definition{
		Topics:  []topics.Topic{{Name: "a", Partitions: 4, Replicas: -1}, {Name: "b", Partitions: 1, Replicas: 3, Config: map[string]string{"cleanup.policy": "compact"}}},
		Schemas: []topics.Schema{{Subject: "a-value", Text: `"long"`}, {Subject: "b-value", Text: `"string"`}},
	}, def)
}

func TestLoadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		json string
		want string
	}{
		"no JSON":         {`{`, "topics.json"},
		"unknown keys":    {`{"partitons":4}`, "partitons"},
		"no name":         {`{"partitions":4,"replicas":1,"topics":[{}]}`, "topic 1 has no name"},
		"a bad name":      {`{"partitions":4,"replicas":1,"topics":[{"name":"a b"}]}`, `"a b"`},
		"a name twice":    {`{"partitions":4,"replicas":1,"topics":[{"name":"a"},{"name":"a"}]}`, "twice"},
		"no partitions":   {`{"replicas":1,"topics":[{"name":"a"}]}`, "0 partitions"},
		"strange replica": {`{"partitions":4,"replicas":-2,"topics":[{"name":"a"}]}`, "-2 replicas"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := topics.Load(files(c.json))
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := topics.Load(files(`{}`, "a-value.avsc", `{"type":"nothing"}`))
	require.ErrorContains(t, err, "a-value.avsc")
	_, err = topics.Load(fstest.MapFS{})
	require.ErrorContains(t, err, topics.DefinitionFile)
}

func TestBuiltInDefinition(t *testing.T) {
	def, err := topics.Load(schemas.Files)
	require.NoError(t, err)
	names := map[string]topics.Topic{}
	for _, topic := range def.Topics {
		names[topic.Name] = topic
		assert.Equal(t, def.Topics[0].Partitions, topic.Partitions, "%s must have the partitions of all that is joined", topic.Name)
	}
	for _, forever := range []string{"orders.v1", "order-validations.v1", "payments.v1", "order-submissions.v1", "order-checks.v1", "fraud-totals.v1", "shipments.v1", "order-shipments.v1", "inventory-ledger.v1", "email-ledger.v1", "email-dead-letters.v1"} {
		require.Contains(t, names, forever)
		assert.Equal(t, map[string]string{"cleanup.policy": "delete", "retention.ms": "-1"}, names[forever].Config, forever)
	}
	for _, s := range def.Schemas {
		assert.Regexp(t, `-(key|value)$`, s.Subject)
	}
}
