//go:build peers

package search_test

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
	"github.com/orderflow/orderflow/internal/peers"
)

// pythonClient uses the Elasticsearch client of Python as its documentation shows.
const pythonClient = `
import sys
from elasticsearch import Elasticsearch, helpers, NotFoundError, ConflictError, BadRequestError

es = Elasticsearch(sys.argv[1])
assert es.info()["version"]["number"] == "8.14.3"
es.indices.create(index="o", mappings={"properties": {"state": {"type": "keyword"}, "n": {"type": "integer"}, "at": {"type": "date"}}})
ok, errors = helpers.bulk(es, ({"_index": "o", "_id": f"o{i}", "state": "AB"[i % 2], "n": i, "at": f"2024-05-{1 + i % 28:02d}"} for i in range(500)), refresh=True)
assert ok == 500 and not errors
assert es.count(index="o", query={"term": {"state": "A"}})["count"] == 250
r = es.search(index="o", size=3, sort=[{"n": "desc"}], query={"range": {"at": {"gte": "2024-05-10"}}},
              aggs={"s": {"terms": {"field": "state"}, "aggs": {"m": {"max": {"field": "n"}}}}, "d": {"date_histogram": {"field": "at", "calendar_interval": "week"}}})
assert [h["_source"]["n"] for h in r["hits"]["hits"]] == sorted((h["_source"]["n"] for h in r["hits"]["hits"]), reverse=True)
assert {b["key"] for b in r["aggregations"]["s"]["buckets"]} == {"A", "B"}
assert len(list(helpers.scan(es, index="o", query={"query": {"term": {"state": "B"}}}, size=70))) == 250
pit = es.open_point_in_time(index="o", keep_alive="1m")["id"]
seen, after = [], None
while True:
    page = es.search(pit={"id": pit, "keep_alive": "1m"}, size=100, sort=[{"n": "asc"}], **({"search_after": after} if after else {}))["hits"]["hits"]
    if not page:
        break
    seen += [h["_id"] for h in page]
    after = page[-1]["sort"]
assert len(set(seen)) == 500
assert es.close_point_in_time(id=pit)["succeeded"]
assert es.get(index="o", id="o7")["_source"]["n"] == 7
assert es.mget(index="o", ids=["o1", "nope"])["docs"][1]["found"] is False
es.update(index="o", id="o7", doc={"n": 700})
es.options(ignore_status=404).delete(index="o", id="nope")
for call, error in ((lambda: es.get(index="o", id="nope"), NotFoundError), (lambda: es.create(index="o", id="o1", document={}), ConflictError),
                    (lambda: es.search(index="o", query={"bad": {}}), BadRequestError), (lambda: es.search(index="o", suggest={"s": {"text": "x", "term": {"field": "state"}}}), BadRequestError)):
    try:
        call()
    except error:
        pass
    else:
        raise AssertionError(error)
r = es.msearch(searches=[{"index": "o"}, {"size": 0}, {"index": "nope"}, {"size": 0}])
assert r["responses"][0]["hits"]["total"]["value"] == 500 and r["responses"][1]["status"] == 404
es.indices.put_index_template(name="t", index_patterns=["t-*"], template={"mappings": {"properties": {"k": {"type": "keyword"}}}})
es.index(index="t-1", document={"k": "x"}, refresh="wait_for")
assert es.indices.get_mapping(index="t-1")["t-1"]["mappings"]["properties"]["k"]["type"] == "keyword"
es.indices.update_aliases(actions=[{"add": {"index": "o", "alias": "a", "filter": {"term": {"state": "A"}}}}])
assert es.count(index="a")["count"] == 250
assert es.cluster.health()["status"] in ("green", "yellow") and es.cat.indices(format="json")
es.indices.delete(index="o")
print("done")
`

func TestPeerPythonClient(t *testing.T) {
	srv, err := search.New(search.Config{Addr: "127.0.0.1:0", DataDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, srv.Start(t.Context()))
	defer func() { require.NoError(t, srv.Stop()) }()
	script := filepath.Join(t.TempDir(), "client.py")
	require.NoError(t, os.WriteFile(script, []byte(pythonClient), 0o600))
	out, err := exec.CommandContext(t.Context(), peers.Python(t, "elasticsearch==8.14.0"), script, "http://"+srv.Addr()).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "done")
}
