package search_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/blevesearch/bleve/v2/index/scorch"
	index_api "github.com/blevesearch/bleve_index_api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// serveEnv has the data directory in the environment of a process that is a server
// and nothing else.
const serveEnv = "ORDERFLOW_TEST_SEARCH_SERVE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveEnv); dir != "" {
		if err := serveUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serveUntilKilled(dir string) error {
	srv, err := search.New(search.Config{Addr: "127.0.0.1:0", DataDir: dir, RefreshInterval: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := srv.Start(context.Background()); err != nil {
		return err
	}
	fmt.Println(srv.Addr())
	_, _ = os.Stdin.Read(make([]byte, 1)) // ends with the test
	return srv.Stop()
}

// writtenDoc is what a writer knows of a document.
type writtenDoc struct {
	version int64 // of the last acknowledged write
	deleted bool
	unsure  int64 // version of a write without an answer, 0 for none
}

// bulkWriter writes its own documents with growing versions, as a sink does with
// offsets.
type bulkWriter struct {
	name    string
	url     string
	random  *rand.Rand
	version int64
	docs    map[string]*writtenDoc
	acked   int
}

// bulk writes some documents, new ones and known ones; false when there was no
// answer.
func (w *bulkWriter) bulk(t *testing.T) bool {
	var body bytes.Buffer
	sent := map[string]writtenDoc{}
	for range 50 {
		id := fmt.Sprintf("%s-%d", w.name, w.random.IntN(2000))
		if _, twice := sent[id]; twice {
			continue
		}
		w.version++
		d := writtenDoc{version: w.version, deleted: w.random.IntN(10) == 0}
		action := "index"
		if d.deleted {
			action = "delete"
		}
		fmt.Fprintf(&body, `{%q:{"_id":%q,"version":%d,"version_type":"external"}}`+"\n", action, id, d.version)
		if !d.deleted {
			fmt.Fprintf(&body, `{"writer":%q,"v":%d,"text":"written by %s at %d"}`+"\n", w.name, d.version, w.name, d.version)
		}
		sent[id] = d
		if w.docs[id] == nil {
			w.docs[id] = &writtenDoc{}
		}
		w.docs[id].unsure = d.version
		if d.deleted {
			w.docs[id].unsure = -d.version
		}
	}
	res, err := http.Post(w.url+"/orders.v1/_bulk", "application/x-ndjson", &body)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Items []map[string]struct {
			ID     string `json:"_id"`
			Status int
		}
	}
	if json.NewDecoder(res.Body).Decode(&answer) != nil {
		return false
	}
	for _, item := range answer.Items {
		for _, r := range item {
			assert.Contains(t, []int{200, 201, 404}, r.Status, "a newer version is taken in") // 404: it wasn't there to be deleted
			d := sent[r.ID]
			*w.docs[r.ID] = writtenDoc{version: d.version, deleted: d.deleted}
			w.acked++
		}
	}
	return true
}

// TestBulksOutliveKills kills a server while bulks come in, again and again, and
// looks for every acknowledged write in what it left.
func TestBulksOutliveKills(t *testing.T) {
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	writers := make([]*bulkWriter, 3)
	for i := range writers {
		writers[i] = &bulkWriter{name: fmt.Sprintf("w%d", i), random: rand.New(rand.NewPCG(seed, uint64(i))), docs: map[string]*writtenDoc{}}
	}
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), serveEnv+"="+dir)
		cmd.Stderr = os.Stderr
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		defer func() { _ = stdin.Close() }()
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		addr, err := bufio.NewReader(stdout).ReadString('\n')
		require.NoError(t, err)

		enough := make(chan struct{})
		var once sync.Once
		var wg sync.WaitGroup
		for i, w := range writers {
			w.url = "http://" + strings.TrimSpace(addr)
			bulks := 10 + rand.New(rand.NewPCG(seed, uint64(round))).IntN(30)
			wg.Go(func() {
				for n := 0; w.bulk(t); n++ {
					if i == 0 && n == bulks {
						once.Do(func() { close(enough) })
					}
				}
				once.Do(func() { close(enough) })
			})
		}
		<-enough
		require.NoError(t, cmd.Process.Kill())
		wg.Wait()
		_ = cmd.Wait() // it was killed

		checkAfterKill(t, dir, writers)
	}
	total := 0
	for _, w := range writers {
		total += w.acked
	}
	t.Logf("%d acknowledged writes", total)
}

// checkAfterKill opens what a killed server left and compares it with what its
// writers know: the store, and what searches find.
func checkAfterKill(t *testing.T, dir string, writers []*bulkWriter) {
	t.Helper()
	srv, err := search.New(search.Config{DataDir: dir, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, srv.Open())
	defer func() { require.NoError(t, srv.Stop()) }()
	must(t, srv, http.MethodPost, "/orders.v1/_refresh", "")
	for _, w := range writers {
		status, text := call(t, srv, http.MethodPost, "/orders.v1/_search", fmt.Sprintf(`{"size":5000,"version":true,"query":{"match":{"text":%q}},"docvalue_fields":["v"],"sort":["v"]}`, w.name))
		require.Equal(t, http.StatusOK, status, text)
		var answer struct {
			Hits struct {
				Hits []struct {
					ID      string `json:"_id"`
					Version int64  `json:"_version"`
					Source  struct{ V int64 }
					Fields  struct{ V []int64 }
				}
			}
		}
		require.NoError(t, json.Unmarshal([]byte(text), &answer))
		seen := map[string]int64{}
		for _, h := range answer.Hits.Hits {
			assert.Equal(t, []int64{h.Version}, h.Fields.V, "%s: the inverted index has the store's version", h.ID)
			assert.Zero(t, seen[h.ID], "%s is found once", h.ID)
			seen[h.ID] = h.Version
			require.NotNil(t, w.docs[h.ID], "%s was never sent", h.ID)
		}
		for id, d := range w.docs {
			v := seen[id]
			switch {
			case v == d.version && !d.deleted, v == 0 && (d.deleted || d.version == 0):
			case d.unsure > 0 && v == d.unsure: // it got there, its answer didn't
				*d = writtenDoc{version: v}
			case d.unsure < 0 && v == 0:
				*d = writtenDoc{version: -d.unsure, deleted: true}
			default:
				t.Errorf("%s is found with version %d, the writer knows %+v", id, v, *d)
			}
			d.unsure = 0
		}
	}
}

// TestVersionsUnderManyWriters has sixteen writers send the same versions of the
// same documents, each in its own order.
func TestVersionsUnderManyWriters(t *testing.T) {
	srv := open(t, search.Config{DataDir: t.TempDir(), RefreshInterval: time.Millisecond})
	const writers, docs, versions = 16, 10, 40
	var mu sync.Mutex
	taken := map[string]int{}
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(n)))
			for _, v := range random.Perm(versions) {
				var body strings.Builder
				for d := range docs {
					fmt.Fprintf(&body, `{"index":{"_id":"d%d","version":%d,"version_type":"external"}}`+"\n"+`{"v":%d}`+"\n", d, v+1, v+1)
				}
				answer := must(t, srv, http.MethodPost, "/i/_bulk", body.String())
				for d, item := range answer["items"].([]any) {
					result := item.(map[string]any)["index"].(map[string]any)
					switch status := result["status"].(float64); status {
					case 200, 201:
						mu.Lock()
						taken[fmt.Sprintf("d%d/%d", d, v+1)]++
						mu.Unlock()
					default:
						assert.Equal(t, 409., status)
					}
				}
			}
		})
	}
	wg.Wait()
	must(t, srv, http.MethodPost, "/_refresh", "")
	assert.Len(t, found(t, srv, "/i/_search?size=100", fmt.Sprintf(`{"query":{"term":{"v":%d}}}`, versions)), docs, "the highest version is found")
	assert.Len(t, found(t, srv, "/i/_search?size=100", ""), docs)
	for which, n := range taken {
		assert.Equal(t, 1, n, "%s was taken by one writer alone", which)
	}
	for d := range docs {
		doc := must(t, srv, http.MethodGet, fmt.Sprintf("/i/_doc/d%d", d), "")
		assert.Equal(t, float64(versions), doc["_version"])
		assert.Equal(t, float64(versions), doc["_source"].(map[string]any)["v"])
	}
}

// TestCountingWithSequenceNumbers has sixteen writers add to one number, each write
// on the condition that nobody wrote since it read.
func TestCountingWithSequenceNumbers(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: time.Millisecond})
	must(t, srv, http.MethodPut, "/i/_doc/n", `{"n":0}`)
	const writers, each = 16, 20
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for added := 0; added < each; {
				doc := must(t, srv, http.MethodGet, "/i/_doc/n", "")
				n := doc["_source"].(map[string]any)["n"].(float64)
				path := fmt.Sprintf("/i/_doc/n?if_seq_no=%.0f&if_primary_term=%.0f", doc["_seq_no"], doc["_primary_term"])
				status, answer := call(t, srv, http.MethodPut, path, `{"n":`+strconv.Itoa(int(n)+1)+`}`)
				if status == http.StatusOK {
					added++
				} else {
					assert.Equal(t, http.StatusConflict, status, answer)
				}
			}
		})
	}
	wg.Wait()
	doc := must(t, srv, http.MethodGet, "/i/_doc/n", "")
	assert.Equal(t, float64(writers*each), doc["_source"].(map[string]any)["n"])
	assert.Equal(t, float64(writers*each+1), doc["_version"])
}

// TestOlderInvertedIndexIsBuiltAnew opens an inverted index that does not say which
// terms it has.
func TestOlderInvertedIndexIsBuiltAnew(t *testing.T) {
	dir := t.TempDir()
	srv, err := search.New(search.Config{DataDir: dir, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, srv.Open())
	for i := range 20 {
		must(t, srv, http.MethodPut, fmt.Sprintf("/orders.v1/_doc/o%d?refresh", i), order(fmt.Sprintf("o%d", i), i))
	}
	require.NoError(t, srv.Stop())

	queue := index_api.NewAnalysisQueue(1)
	old, err := scorch.NewScorch(scorch.Name, map[string]any{"path": dir + "/indices/1"}, queue)
	require.NoError(t, err)
	require.NoError(t, old.Open())
	batch := index_api.NewBatch()
	batch.SetInternal([]byte("orderflow.seq"), []byte{0, 0, 0, 0, 0, 0, 0, 20})
	batch.DeleteInternal([]byte("orderflow.format"))
	require.NoError(t, old.Batch(batch))
	require.NoError(t, old.Close())
	queue.Close()

	var log bytes.Buffer
	again := open(t, search.Config{DataDir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	assert.Contains(t, log.String(), "building an inverted index anew")
	assert.Contains(t, log.String(), "its format is version 1, this program writes 3")
	assert.Len(t, found(t, again, "/orders.v1/_search", `{"size":100,"query":{"range":{"quantity":{"gte":0,"lt":20}}}}`), 20)
	assert.Len(t, found(t, again, "/orders.v1/_search", `{"size":100,"query":{"exists":{"field":"customerId"}}}`), 20)
}
