package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// metastore is an engine over a broker, whose command topic tests may write.
type metastore struct {
	t      *testing.T
	client *kgo.Client
	cfg    Config
	*Engine
}

func openMetastore(t *testing.T) *metastore {
	client, cfg := newBroker(t)
	m := &metastore{t: t, client: client, cfg: cfg}
	m.open()
	t.Cleanup(func() { require.NoError(t, m.Engine.Close()) })
	return m
}

func (m *metastore) open() {
	m.t.Helper()
	var err error
	m.Engine, err = Open(m.t.Context(), m.cfg)
	require.NoError(m.t, err)
}

func (m *metastore) reopen() {
	m.t.Helper()
	require.NoError(m.t, m.Engine.Close())
	m.open()
}

func (m *metastore) run(sql string) {
	m.t.Helper()
	_, err := m.Execute(m.t.Context(), Request{SQL: sql})
	require.NoError(m.t, err, sql)
}

// log writes a command as an engine does that crashes right after.
func (m *metastore) log(id, sql string) {
	m.t.Helper()
	m.write(id, command{Statement: sql})
}

func (m *metastore) write(id string, c command) {
	m.t.Helper()
	c.Version = commandVersion
	value, err := json.Marshal(c)
	require.NoError(m.t, err)
	rec := &kgo.Record{Topic: commandTopic(m.cfg.ServiceID), Key: []byte(id), Value: value}
	require.NoError(m.t, m.client.ProduceSync(m.t.Context(), rec).FirstErr())
}

// state is what the metastore holds.
func (m *metastore) state() []string {
	var list []string
	for _, s := range m.Catalog().Sources() {
		list = append(list, s.Name+" "+s.Schema.String())
	}
	for _, q := range m.Catalog().Queries() {
		list = append(list, q.ID+" "+q.SQL)
	}
	return list
}

func (m *metastore) topics() kadm.TopicDetails {
	details, err := kadm.NewClient(m.client).ListTopics(m.t.Context())
	require.NoError(m.t, err)
	return details
}

const createOne = "CREATE STREAM one (k STRING KEY, v INT) WITH (KAFKA_TOPIC='one', VALUE_FORMAT='JSON', PARTITIONS=1);"

func TestRequestsAtOnceLeaveOneMetastoreThatAStartFindsAgain(t *testing.T) {
	m := openMetastore(t)
	m.run(createOne)
	var wait sync.WaitGroup
	for i := range 12 {
		wait.Go(func() {
			for _, sql := range []string{
				"CREATE STREAM IF NOT EXISTS x AS SELECT * FROM one;",
				fmt.Sprintf("CREATE OR REPLACE STREAM y (k STRING KEY, c%d INT) WITH (KAFKA_TOPIC='one', VALUE_FORMAT='JSON');", i),
				"CREATE STREAM z AS SELECT k, v + 1 AS w FROM one; CREATE STREAM zz AS SELECT * FROM z;",
				"DROP STREAM IF EXISTS zz; DROP STREAM IF EXISTS z;",
				"DROP STREAM IF EXISTS x DELETE TOPIC;",
			} {
				_, err := m.Execute(t.Context(), Request{SQL: sql})
				var refused *Error
				if err != nil && assert.ErrorAs(t, err, &refused, sql) {
					assert.Less(t, refused.Status(), 500, "%s: %s", sql, err)
				}
			}
		})
	}
	wait.Wait()
	for _, q := range m.Catalog().Queries() {
		assert.Equal(t, "RUNNING", m.queryState(q.ID), q.SQL)
	}
	assert.ElementsMatch(t, m.runtime.Queries(), ids(m), "no query runs that the metastore lacks")
	before := m.state()
	m.reopen()
	assert.Equal(t, before, m.state())
	assert.Zero(t, m.FailedCommands())
}

func ids(m *metastore) []string {
	list := []string{}
	for _, q := range m.Catalog().Queries() {
		list = append(list, q.ID)
	}
	return list
}

func TestAStatementThatWasLoggedBeforeACrashIsCarriedOutByTheStart(t *testing.T) {
	m := openMetastore(t)
	m.run(createOne + "CREATE STREAM gone AS SELECT * FROM one;")
	before := m.state()
	require.NoError(t, m.Engine.Close())
	m.log("stream/`TWO`/create", "CREATE STREAM two AS SELECT * FROM one;")
	m.log("stream/GONE/drop", "DROP STREAM gone;")
	m.open()
	assert.NotEqual(t, before, m.state())
	_, ok := m.Catalog().Source("GONE")
	assert.False(t, ok)
	states, err := m.Engine.state.Queries()
	require.NoError(t, err)
	for _, id := range states {
		_, ok := m.Catalog().Query(id)
		assert.True(t, ok, "the state of %s stayed", id)
	}
	require.Len(t, m.Catalog().Queries(), 1)
	_, err = m.Execute(t.Context(), Request{SQL: "CREATE STREAM two AS SELECT * FROM one;"})
	require.ErrorContains(t, err, "already exists")
	after := m.state()
	m.reopen()
	assert.Equal(t, after, m.state())
}

func TestATopicIsDeletedBeforeItsStatementIsLogged(t *testing.T) {
	m := openMetastore(t)
	m.run(createOne + "CREATE STREAM two AS SELECT * FROM one;")
	// A crash in between leaves the stream without its topic; the same statement
	// then ends what was begun.
	_, err := kadm.NewClient(m.client).DeleteTopics(t.Context(), "TWO")
	require.NoError(t, err)
	m.reopen()
	m.run("DROP STREAM two DELETE TOPIC;")
	assert.False(t, m.topics().Has("TWO"))
	assert.Empty(t, m.Catalog().Queries())
	assert.Empty(t, m.runtime.Queries())
}

func TestALoggedStatementThatFailsHoldsUpNoneBehindIt(t *testing.T) {
	m := openMetastore(t)
	m.run(createOne)
	require.NoError(t, m.Engine.Close())
	m.log("stream/`BAD`/create", "CREATE STREAM bad AS SELECT nothing FROM nowhere;")
	m.log("stream/`ODD`/create", "CREATE STREEM odd;")
	m.log("stream/`TWO`/create", "CREATE STREAM two AS SELECT * FROM one;")
	m.open()
	_, ok := m.Catalog().Source("TWO")
	assert.True(t, ok)
	assert.Equal(t, 2, m.FailedCommands())
	status, ok := m.Status("stream/`BAD`/create")
	require.True(t, ok)
	assert.Equal(t, "ERROR", status.Status)
	m.run("CREATE STREAM bad AS SELECT k, v FROM one;")
	assert.Equal(t, 1, m.FailedCommands(), "it was repeated with success")
}

func TestAStartWithoutTheSchemaRegistryRefusesWhatItDecides(t *testing.T) {
	m := openMetastore(t)
	m.run(createOne)
	require.NoError(t, m.Engine.Close())
	m.write("stream/`AVRO`/create", command{
		Statement: "CREATE STREAM avro (k STRING KEY) WITH (KAFKA_TOPIC='one', VALUE_FORMAT='AVRO');",
		Facts:     &facts{Topics: map[string]*topicFacts{"one": {Partitions: 1, Replicas: 1}}, Schemas: map[string]int{"one-value": 1}},
	})
	m.cfg.SchemaRegistry = "http://127.0.0.1:1"
	_, err := Open(t.Context(), m.cfg)
	require.ErrorContains(t, err, "Schema registry fetch")
	require.ErrorContains(t, err, "CREATE STREAM avro")
}

func TestAQueryThatCannotBeStartedIsTriedAgainAndHoldsUpNoOther(t *testing.T) {
	m := openMetastore(t)
	m.run(createOne + "CREATE STREAM two AS SELECT * FROM one; CREATE STREAM three AS SELECT * FROM one;")
	queries := m.Catalog().Queries()
	require.NoError(t, m.runtime.Terminate(t.Context(), queries[0].ID))
	assert.Equal(t, "ERROR", m.queryState(queries[0].ID))
	m.startLater(queries[0], errors.New("the first try failed"))
	require.Eventually(t, func() bool { return m.queryState(queries[0].ID) == "RUNNING" }, 10*time.Second, 10*time.Millisecond)
	assert.Equal(t, "RUNNING", m.queryState(queries[1].ID))

	require.NoError(t, m.runtime.Terminate(t.Context(), queries[1].ID))
	m.startLater(queries[1], errors.New("the first try failed"))
	m.run("DROP STREAM three;")
	done, err := m.tryStart(context.Background(), queries[1])
	require.NoError(t, err)
	assert.True(t, done, "it is gone")
	assert.Equal(t, "ERROR", m.queryState(queries[1].ID))
}

func TestAStatementWhoseWritingSeemedToFailIsCarriedOutBeforeTheNextOne(t *testing.T) {
	m := openMetastore(t)
	m.run(createOne)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := m.commands.append(ctx, "stream/`LOST`/create", command{Statement: "CREATE STREAM lost AS SELECT * FROM one;"})
	require.ErrorContains(t, err, "Could not write the statement")
	m.log("stream/`TWO`/create", "CREATE STREAM two AS SELECT * FROM one;")
	m.run("CREATE STREAM three AS SELECT * FROM two;")
	assert.Len(t, m.runtime.Queries(), 2)
	before := m.state()
	m.reopen()
	assert.Equal(t, before, m.state())
}
