//go:build peers

package server_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/peers"
)

// runScript runs a script of another project's client against the server, whose
// address is its one argument. It must print "done" at its end.
func (s *stack) runScript(t *testing.T, interpreter, dir, name, script string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(script), 0o600))
	cmd := exec.CommandContext(s.ctx, interpreter, file, "http://"+s.server.Addr())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.True(t, strings.HasSuffix(strings.TrimSpace(string(out)), "done"), string(out))
}

const peerStatements = "CREATE STREAM clicks (user STRING KEY, page STRING, n INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON', PARTITIONS=1); " +
	"SET 'auto.offset.reset'='earliest'; CREATE TABLE sums AS SELECT user, SUM(n) AS total FROM clicks GROUP BY user;"

// pyKSQL uses the client that began as Confluent's own for Python.
const pyKSQL = `
import json, sys, time
from ksql import KSQLAPI
from ksql.errors import KSQLError
client = KSQLAPI(sys.argv[1])
assert client.get_ksql_version() == "7.9.0"
client.ksql("CREATE STREAM made (id STRING KEY, v INT) WITH (KAFKA_TOPIC='made', VALUE_FORMAT='JSON', PARTITIONS=1);")
names = [s["name"] for s in client.ksql("SHOW STREAMS;")[0]["streams"]]
assert "MADE" in names and "CLICKS" in names, names
acks = client.inserts_stream("clicks", [{"user": "ann", "page": "a", "n": 1}, {"user": "bob", "page": "b", "n": 2}])
assert acks == [{"seq": 0, "status": "ok"}, {"seq": 1, "status": "ok"}], acks
bad = client.inserts_stream("clicks", [{"page": "a"}])
assert bad[0]["status"] == "error" and bad[0]["error_code"] == 40000, bad
earliest = {"ksql.streams.auto.offset.reset": "earliest"}
text = "".join(client.query("SELECT user, n FROM clicks EMIT CHANGES LIMIT 2", stream_properties=earliest))
assert '["ann",1]' in text, text
text = "".join(client.query("SELECT user, n FROM clicks EMIT CHANGES LIMIT 2", stream_properties={"auto.offset.reset": "earliest"}, use_http2=True))
assert '["bob",2]' in text, text
try:
    client.ksql("SELEC 1;")
    raise SystemExit("a syntax error went through")
except KSQLError as e:
    assert e.error_code == 40001, e
assert client.close_query("nope") is False
assert client.get_properties()
print("done")
`

// pyKSQLdb uses a client that speaks HTTP/2 with prior knowledge.
const pyKSQLdb = `
import asyncio, sys, time
from ksqldb import KSQLdbClient
client = KSQLdbClient(sys.argv[1])
client.ksql("INSERT INTO clicks (user, page, n) VALUES ('cid', 'c', 3);")
rows = client.inserts_stream("clicks", [{"user": "dan", "page": "d", "n": 4}])
assert rows == [{"seq": 0, "status": "ok"}], rows
for _ in range(200):
    result = client.query_sync("SELECT * FROM sums WHERE user IN ('cid', 'dan');")
    if len(result) == 3:
        break
    time.sleep(0.05)
assert result[0]["columnNames"] == ["USER", "TOTAL"], result
assert sorted(result[1:]) == [["cid", 3], ["dan", 4]], result
async def push():
    seen = []
    async for line in client.query_async("SELECT user FROM clicks EMIT CHANGES;", stream_properties={"auto.offset.reset": "earliest"}):
        seen.append(line)
        if len(seen) == 3:
            assert client.close_query(seen[0]["queryId"])
            break
    return seen
seen = asyncio.run(push())
assert seen[0]["columnTypes"] == ["STRING"], seen
print("done")
`

// pyModels uses a client that checks answers against models of its own.
const pyModels = `
import sys
from ksqldb_client import KSqlDBClient
from ksqldb_client.exceptions import APIError
client = KSqlDBClient(sys.argv[1])
assert client.info().ksql_server_info.server_status == "RUNNING"
answer = client.ksql("CREATE STREAM modelled (id STRING KEY, v INT) WITH (KAFKA_TOPIC='${topic}', VALUE_FORMAT='JSON', PARTITIONS=1);", session_variables={"topic": "modelled"})
assert answer[0].command_status.status == "SUCCESS", answer
client.ksql("SHOW STREAMS;", command_sequence_number=answer[0].command_sequence_number)
rows = client.query("SELECT * FROM sums;")
assert rows[0].header.schema_ == "` + "`USER` STRING KEY, `TOTAL` INTEGER" + `", rows
try:
    client.ksql("DROP STREAM nothing;")
    raise SystemExit("an unknown stream was dropped")
except APIError as e:
    assert e.error_code == 40001, e
try:
    client.close_query(query_id="nope")
    raise SystemExit("an unknown query was closed")
except APIError as e:
    assert e.error_code == 40000, e
print("done")
`

func TestPeerPythonClients(t *testing.T) {
	s := newStack(t)
	s.exec(peerStatements)
	for _, c := range []struct{ name, script, packages string }{
		{"ksql", pyKSQL, "ksql-python-ng==0.29.0.1 httpx[http2]==0.27.2 six==1.17.0"},
		{"ksqldb", pyKSQLdb, "ksqldb==1.0.1 httpx[http2]==0.28.1"},
		{"ksqldb-client", pyModels, "ksqldb-client==0.28.2a2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			python := peers.Python(t, strings.Fields(c.packages)...)
			s.runScript(t, python, t.TempDir(), "client.py", c.script)
		})
	}
}

// nodeClient uses the npm client, which reads answers in JSON.
const nodeClient = `
const assert = require("assert");
const KsqldbClient = require("ksqldb-client");
const address = new URL(process.argv[2]);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
(async () => {
  const client = new KsqldbClient({ host: "http://" + address.hostname, port: Number(address.port) });
  setTimeout(() => { console.error("nothing more came"); process.exit(3); }, 20000).unref();
  await client.connect();
  const inserted = await client.insertInto("clicks", { user: "eve", page: "e", n: 5 });
  assert.strictEqual(inserted.status, 200, JSON.stringify(inserted));
  let answer;
  for (let i = 0; i < 200; i++) {
    answer = await client.query("SELECT * FROM sums WHERE user = 'eve';");
    if (answer.data && answer.data.rows.length > 0) break;
    await wait(50);
  }
  assert.deepStrictEqual(answer.data.rows[0].TOTAL ?? answer.data.rows[0][1], 5, JSON.stringify(answer));
  let queryId, rows = 0;
  await client.streamQuery("SELECT * FROM clicks EMIT CHANGES LIMIT 1;", (data) => {
    queryId = queryId || (data.metadata && data.metadata.queryId);
    rows += (data.rows || []).length;
  }, { properties: { "auto.offset.reset": "earliest" } });
  assert.ok(rows >= 1);
  const made = await client.executeStatement("CREATE STREAM noded (id STRING KEY) WITH (KAFKA_TOPIC='noded', VALUE_FORMAT='JSON', PARTITIONS=1);");
  assert.strictEqual(made.status, 200, JSON.stringify(made));
  const streams = await client.listStreams();
  assert.ok(JSON.stringify(streams).includes("NODED"));
  const refused = await client.query("SELECT *;");
  assert.ok(refused.error, JSON.stringify(refused));
  await client.disconnect();
  console.log("done");
})().catch((err) => { console.error(err); process.exit(1); });
`

func TestPeerNodeClient(t *testing.T) {
	node, err := exec.LookPath("node")
	require.NoError(t, err, "this test needs Node.js")
	s := newStack(t)
	s.exec(peerStatements)
	s.runScript(t, node, peers.NodeModules(t, "ksqldb-client@1.0.5"), "client.js", nodeClient)
}

func TestPeerKcatReadsOutputs(t *testing.T) {
	kcat, err := exec.LookPath("kcat")
	require.NoError(t, err, "this test needs kcat (Debian: apt-get install kafkacat)")
	s := newStack(t)
	s.exec(peerStatements)
	s.exec("INSERT INTO clicks (user, page, n) VALUES ('ann', 'a', 1); INSERT INTO clicks (user, page, n) VALUES ('ann', 'b', 2);")
	require.Eventually(t, func() bool {
		out, err := exec.CommandContext(s.ctx, kcat, "-b", strings.Join(s.brokers, ","), "-C", "-t", "SUMS", "-e", "-q", "-f", "%k=%s\n").CombinedOutput()
		return err == nil && strings.HasSuffix(string(out), "ann={\"TOTAL\":3}\n")
	}, patience, 1e8)
}
