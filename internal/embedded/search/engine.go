package search

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blevesearch/bleve/v2/index/scorch"
	index_api "github.com/blevesearch/bleve_index_api"
	"github.com/cockroachdb/pebble/v2"
)

const (
	// batchDocuments and batchBytes bound what is indexed at once. Larger segments
	// cost less, since documents have terms in common, and are merged less often.
	batchDocuments = 5000
	batchBytes     = 8 << 20
	// trimAfter is how many changes are kept before those that scorch has on disk
	// are dropped from the database's list.
	trimAfter = 1000
	// renewEvery is how long an index without writes holds on to one state of the
	// database, which keeps what was overwritten since from being dropped.
	renewEvery = time.Minute
	// persistEvery is how long scorch gathers changes before it writes them out.
	persistEvery = 500 * time.Millisecond
)

// seqKey is where a scorch index says how far it has come, formatKey which terms
// its documents have.
var (
	seqKey    = []byte("orderflow.seq")
	formatKey = []byte("orderflow.format")
)

// scorchFormat is the version of the terms. An index of another version is built
// anew from the database:
//   - 1 (without a version): numbers in four forms, a term for every field's name
//   - 2: numbers in up to three forms, a term for each combination of fields
//   - 3: shorter forms of numbers only in fields without doc values
const scorchFormat = "3"

// engine is the inverted index of one index, and the goroutine that feeds it.
type engine struct {
	ix     *index
	path   string
	scorch index_api.Index
	queue  *index_api.AnalysisQueue
	views  documentViews // of the goroutine that feeds scorch

	stop    context.CancelFunc
	stopped chan struct{}

	persisted atomic.Uint64 // what scorch has on disk, as a sequence number

	mu       sync.Mutex // guards what follows
	wake     chan struct{}
	interval time.Duration
	written  uint64 // the last committed change
	wanted   uint64 // what somebody waits for
	hurry    bool   // writers wait for the indexer
	current  *snapshot
	changed  chan struct{} // closed when current or failed changes
	failed   error
	closed   bool
	pending  pending
	indexed  uint64        // the last change in scorch
	progress chan struct{} // closed when indexed grows
}

// snapshot is a state of an index that searches look at.
type snapshot struct {
	reader index_api.IndexReader
	db     *pebble.Snapshot // the documents in the same state
	number uint32           // of the index
	seq    uint64           // the last change in it
	refs   atomic.Int64
}

func (s *snapshot) release() {
	if s.refs.Add(-1) == 0 {
		_ = s.reader.Close() // both only count references
		_ = s.db.Close()
	}
}

// snapshot takes hold of what scorch has now, which is the database's state up to
// a sequence number.
func (e *engine) snapshot(db *pebble.Snapshot, seq uint64) (*snapshot, error) {
	reader, err := e.scorch.Reader()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the inverted index of %s: %w", e.ix.name, err), db.Close())
	}
	s := &snapshot{reader: reader, db: db, number: e.ix.number, seq: seq}
	s.refs.Store(1)
	return s, nil
}

// record reads a document, nil when there is none.
func (s *snapshot) record(id string) (*record, error) { return documentIn(s.db, s.number, id) }

// openEngine opens the scorch index of ix and starts to feed it. It is made anew
// when it is missing, damaged or doesn't fit the database.
func openEngine(ix *index) (*engine, error) {
	e := &engine{
		ix: ix, wake: make(chan struct{}, 1), changed: make(chan struct{}), stopped: make(chan struct{}),
		interval: ix.definition().settings.refreshInterval(ix.srv.cfg.RefreshInterval),
		progress: make(chan struct{}),
	}
	if ix.srv.store.dir != "" {
		e.path = filepath.Join(ix.srv.store.dir, strconv.FormatUint(uint64(ix.number), 10))
	}
	last := ix.counters.nextSeq - 1
	rebuilt := false
	seq, err := e.openScorch()
	if err != nil || seq > last || seq < ix.counters.trimmed {
		if err != nil {
			ix.srv.cfg.Logger.Warn("search: building an inverted index anew", "index", ix.name, "error", err)
		}
		rebuilt = true
		if seq, err = e.rebuild(); err != nil {
			return nil, fmt.Errorf("opening the inverted index of %s: %w", ix.name, err)
		}
	}
	e.written, e.indexed = last, seq
	if !rebuilt { // else only what scorch has written since counts
		e.persisted.Store(seq)
	}
	if err := e.ahead(context.Background()); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the inverted index of %s: %w", ix.name, err), e.closeScorch())
	}
	if e.current, err = e.snapshot(ix.srv.store.db.NewSnapshot(), last); err != nil {
		return nil, errors.Join(err, e.closeScorch())
	}
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	go e.run(ctx)
	return e, nil
}

func (e *engine) openScorch() (uint64, error) {
	config := map[string]any{
		"path": e.path,
		// The database is what must survive, so a batch needn't wait for the disk.
		"unsafe_batch": true,
		"scorchPersisterOptions": map[string]any{
			"PersisterNapTimeMSec":      int(persistEvery / time.Millisecond),
			"PersisterNapUnderNumFiles": 1000,
		},
	}
	e.queue = index_api.NewAnalysisQueue(1)
	opened, err := scorch.NewScorch(scorch.Name, config, e.queue)
	if err != nil {
		e.queue.Close()
		return 0, err
	}
	if err := opened.Open(); err != nil {
		e.queue.Close()
		return 0, err
	}
	e.scorch = opened
	reader, err := opened.Reader()
	if err != nil {
		return 0, errors.Join(err, e.closeScorch())
	}
	value, err := reader.GetInternal(seqKey)
	format, err2 := reader.GetInternal(formatKey)
	documents, err3 := reader.DocCount()
	if err = errors.Join(err, err2, err3, reader.Close()); err != nil {
		return 0, errors.Join(err, e.closeScorch())
	}
	if found := string(format); found != scorchFormat && (documents > 0 || value != nil) {
		return 0, fmt.Errorf("its format is version %s, this program writes %s", cmp.Or(found, "1"), scorchFormat)
	}
	if len(value) != 8 {
		return 0, nil
	}
	return binary.BigEndian.Uint64(value), nil
}

func (e *engine) closeScorch() error {
	if e.scorch == nil {
		return nil
	}
	err := e.scorch.Close()
	e.queue.Close()
	e.scorch = nil
	return err
}

// rebuild indexes every document of the database into a new scorch index.
func (e *engine) rebuild() (uint64, error) {
	if err := e.closeScorch(); err != nil {
		return 0, err
	}
	if e.path != "" {
		if err := os.RemoveAll(e.path); err != nil {
			return 0, err
		}
	}
	if _, err := e.openScorch(); err != nil {
		return 0, err
	}
	last := e.ix.counters.nextSeq - 1
	cache := e.ix.parsers.get()
	defer e.ix.parsers.put(cache)
	batch, size := index_api.NewBatch(), 0
	flush := func() error {
		if len(batch.IndexOps) == 0 {
			return nil
		}
		err := e.scorch.Batch(batch)
		batch, size = index_api.NewBatch(), 0
		return err
	}
	prefix := numberedKey(keyDocument, e.ix.number)
	err := e.ix.srv.store.scan(prefix, nil, func(key, value []byte) (bool, error) {
		r, err := decodeRecord(append([]byte{}, value...))
		if err != nil || r.deleted {
			return true, err
		}
		doc, err := e.document(string(key[len(prefix):]), r, cache)
		if err != nil {
			return false, err
		}
		batch.IndexOps[freshKey(doc.id)] = doc
		if size += len(r.source); size >= batchBytes || len(batch.IndexOps) >= batchDocuments {
			return true, flush()
		}
		return true, nil
	})
	if err == nil {
		err = e.commit(batch, last)
	}
	return last, err
}

// document makes a document of one in the database.
func (e *engine) document(id string, r *record, cache *termCache) (*scorchDocument, error) {
	parsed, _, apiErr := parseDocument(r.source, id, e.ix.definition().mapping, mappingLimits{fields: 1 << 30, depth: maxJSONDepth}, cache)
	if apiErr != nil {
		return nil, fmt.Errorf("indexing document %s of %s again: %w", id, e.ix.name, apiErr)
	}
	return e.views.document(id, r.seq, parsed), nil
}

// wrote tells that changes are in the database.
func (e *engine) wrote(list []change) {
	e.mu.Lock()
	e.written = max(e.written, list[len(list)-1].seq)
	e.pending.add(list)
	e.mu.Unlock()
	e.notify()
}

func (e *engine) notify() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// configure sets the refresh interval.
func (e *engine) configure(interval time.Duration) {
	e.mu.Lock()
	e.interval = interval
	e.mu.Unlock()
	e.notify()
}

// run indexes what was written and shows it, an interval after the first unseen
// write or when somebody waits for it. When there is enough for a segment it is
// indexed before, without being shown.
func (e *engine) run(ctx context.Context) {
	defer close(e.stopped)
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	renew := time.NewTicker(renewEvery)
	defer renew.Stop()
	armed := false
	for {
		e.mu.Lock()
		behind, waited, interval := e.written > e.current.seq, e.wanted > e.current.seq, e.interval
		full := e.hurry || e.written > e.indexed && e.written-e.indexed >= batchDocuments
		e.hurry = false
		e.mu.Unlock()
		due := false
		if behind && !waited && interval >= 0 && !armed {
			timer.Reset(interval)
			armed = true
		}
		if !waited && !full {
			select {
			case <-ctx.Done():
				return
			case <-e.wake:
			case <-timer.C:
				armed, due = false, true
			case <-renew.C:
				due = !behind
			}
		}
		var err error
		switch {
		case due || waited:
			err = e.show(ctx)
		case full:
			err = e.ahead(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			e.fail(err)
			return
		}
	}
}

// fail ends the feeding of an index whose inverted index can't be written.
func (e *engine) fail(err error) {
	e.ix.srv.cfg.Logger.Error("search: indexing stopped; restart to build the inverted index anew", "index", e.ix.name, "error", err)
	e.mu.Lock()
	e.failed = err
	close(e.changed)
	e.changed = make(chan struct{})
	e.mu.Unlock()
}

// show indexes all changes and shows them.
func (e *engine) show(ctx context.Context) error {
	db := e.ix.srv.store.db.NewSnapshot()
	target, err := e.catchUpIn(ctx, db)
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, db.Close())
	}
	next, err := e.snapshot(db, target)
	if err != nil {
		return err
	}
	e.mu.Lock()
	previous := e.current
	e.current = next
	close(e.changed)
	e.changed = make(chan struct{})
	e.mu.Unlock()
	previous.release()
	e.forgetColumns(next)
	return e.trim()
}

// ahead indexes all changes, which are to be shown later.
func (e *engine) ahead(ctx context.Context) error {
	db := e.ix.srv.store.db.NewSnapshot()
	_, err := e.catchUpIn(ctx, db)
	return errors.Join(err, db.Close())
}

// forgetColumns drops the columns of segments that were merged away.
func (e *engine) forgetColumns(s *snapshot) {
	kept := map[uint64]bool{}
	for _, seg := range s.reader.(*scorch.IndexSnapshot).Segments() {
		kept[seg.Id()] = true
	}
	e.ix.srv.columns.keep(e, kept)
}

// lastChange is the sequence number that a state of the database has come to.
func lastChange(db pebble.Reader, number uint32) (uint64, error) {
	raw, err := valueIn(db, numberedKey(keyCounters, number))
	if err != nil {
		return 0, err
	}
	c, err := decodeCounters(raw)
	return c.nextSeq - 1, err
}

// catchUpIn brings scorch to a state of the database and gives the state's last
// change.
func (e *engine) catchUpIn(ctx context.Context, db *pebble.Snapshot) (uint64, error) {
	target, err := lastChange(db, e.ix.number)
	for err == nil && ctx.Err() == nil {
		e.mu.Lock()
		after := e.indexed
		list := e.pending.take(after, target, batchDocuments)
		e.mu.Unlock()
		if after >= target {
			break
		}
		reached := after
		if len(list) > 0 {
			reached = list[len(list)-1].seq
			err = e.indexChanges(list, reached)
		} else {
			var ids []string
			if ids, reached, err = changes(ctx, db, e.ix.number, after, batchDocuments); err == nil && reached > after {
				err = e.indexAll(db, ids, reached)
			}
		}
		if err != nil || reached == after {
			break
		}
		e.mu.Lock()
		e.indexed = reached
		close(e.progress)
		e.progress = make(chan struct{})
		e.mu.Unlock()
	}
	return target, err
}

// indexChanges brings scorch to a sequence number by changes that are in memory.
func (e *engine) indexChanges(list []change, reached uint64) error {
	batch := index_api.NewBatch()
	for _, c := range list {
		key := c.id
		if fresh := freshKey(c.id); c.fresh || batch.IndexOps[fresh] != nil {
			key = fresh
		}
		switch {
		case c.parsed != nil:
			batch.IndexOps[key] = e.views.document(c.id, c.seq, c.parsed)
		case key == c.id:
			batch.Delete(c.id)
		default:
			delete(batch.IndexOps, key)
		}
	}
	return e.commit(batch, reached)
}

// indexAll brings documents into the state that a state of the database has of
// them; with it scorch has all changes up to a sequence number.
func (e *engine) indexAll(db *pebble.Snapshot, ids []string, reached uint64) error {
	cache := e.ix.parsers.get()
	defer e.ix.parsers.put(cache)
	batch, size := index_api.NewBatch(), 0
	for i, id := range ids {
		r, err := documentIn(db, e.ix.number, id)
		switch {
		case err != nil:
			return err
		case r == nil || r.deleted:
			batch.Delete(id)
		default:
			doc, err := e.document(id, r, cache)
			if err != nil {
				return err
			}
			batch.Update(doc)
			size += len(r.source)
		}
		if size >= batchBytes && i < len(ids)-1 {
			if err := e.scorch.Batch(batch); err != nil {
				return err
			}
			batch, size = index_api.NewBatch(), 0
		}
	}
	return e.commit(batch, reached)
}

// commit writes a batch with which scorch has all changes up to a sequence
// number.
func (e *engine) commit(batch *index_api.Batch, reached uint64) error {
	batch.SetInternal(seqKey, binary.BigEndian.AppendUint64(nil, reached))
	batch.SetInternal(formatKey, []byte(scorchFormat))
	batch.SetPersistedCallback(func(err error) {
		if err == nil {
			e.kept(reached)
		}
	})
	return e.scorch.Batch(batch)
}

// kept takes note that scorch has all changes up to a sequence number on disk.
func (e *engine) kept(reached uint64) {
	if e.ix.srv.cfg.Sync && e.path != "" {
		// scorch waits for its files, but not for their names.
		if err := syncDir(e.path); err != nil {
			e.ix.srv.cfg.Logger.Warn("search: the inverted index may have to be built anew after a power failure", "index", e.ix.name, "error", err)
			return
		}
	}
	for {
		was := e.persisted.Load()
		if was >= reached || e.persisted.CompareAndSwap(was, reached) {
			return
		}
	}
}

// syncDir has the names in a directory survive the end of the machine.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// trim drops changes that scorch has on disk from the database's list.
func (e *engine) trim() error {
	persisted := e.persisted.Load()
	ix := e.ix
	if e.path == "" {
		// Nothing of it can be lost but together with the database.
		e.mu.Lock()
		persisted = e.current.seq
		e.mu.Unlock()
	}
	if !ix.writes.TryLock() {
		return nil // a writer is at work: the next time
	}
	defer ix.writes.Unlock()
	if persisted < ix.counters.trimmed+trimAfter {
		return nil
	}
	c := ix.counters
	c.trimmed = persisted
	b := ix.srv.store.db.NewBatch()
	if err := errors.Join(
		b.DeleteRange(numberedKey(keyChange, ix.number), changeKey(ix.number, persisted+1), nil),
		b.Set(numberedKey(keyCounters, ix.number), c.encode(), nil),
		b.Commit(pebble.NoSync),
	); err != nil {
		return err
	}
	ix.counters.trimmed = persisted
	return nil
}

// refresh waits until searches see all that was written before.
func (e *engine) refresh(ctx context.Context) error {
	e.mu.Lock()
	target := e.written
	e.wanted = max(e.wanted, target)
	e.mu.Unlock()
	e.notify()
	for {
		e.mu.Lock()
		seen, failed, changed := e.current.seq, e.failed, e.changed
		e.mu.Unlock()
		switch {
		case seen >= target:
			return nil
		case failed != nil:
			return fmt.Errorf("refreshing index %s: %w", e.ix.name, failed)
		}
		select {
		case <-changed:
		case <-e.stopped:
			return indexNotFound(e.ix.name) // it was deleted: a stop waits for requests
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// acquire gives what searches see now; the caller releases it. An index that was
// deleted in the meantime has nothing to see.
func (e *engine) acquire() (*snapshot, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, indexNotFound(e.ix.name)
	}
	e.current.refs.Add(1)
	return e.current, nil
}

// close stops the feeding and closes scorch.
func (e *engine) close() error {
	e.stop()
	<-e.stopped
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.current.release()
	return e.closeScorch()
}

// remove closes the inverted index and deletes its files.
func (e *engine) remove() error {
	err := e.close()
	if e.path != "" {
		err = errors.Join(err, os.RemoveAll(e.path))
	}
	return err
}

// bytes is how much the files of the inverted index take, or its memory when it
// has none.
func (e *engine) bytes() (int64, error) {
	if e.path == "" {
		return 0, nil
	}
	total := int64(0)
	err := filepath.WalkDir(e.path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // merged away in the meantime
			}
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	})
	return total, err
}
