package search

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"

	"github.com/cockroachdb/pebble/v2"
)

// maxIDBytes is the longest id of a document.
const maxIDBytes = 512

// versionType says how a write's version is checked.
type versionType string

const (
	versionInternal    versionType = "internal"
	versionExternal    versionType = "external"
	versionExternalGTE versionType = "external_gte"
)

func parseVersionType(text string) (versionType, *apiError) {
	switch text {
	case "", "internal":
		return versionInternal, nil
	case "external", "external_gt":
		return versionExternal, nil
	case "external_gte":
		return versionExternalGTE, nil
	default:
		return "", illegalArgument("No version type match [%s]", text)
	}
}

// writeOp is one write of a document.
type writeOp struct {
	action      string // index, create, delete, update
	id          string
	hasID       bool
	source      []byte
	routing     string
	version     *int64
	versionType versionType
	ifSeq       *int64
	ifTerm      *int64
	update      *updateRequest
	getSource   *sourceFilter // an update gives the source back

	// parsed is the source read under a mapping, before the writer's turn came.
	parsed *parsedDocument
	under  *mapping
}

// prepare reads the source under the mapping at hand, so that the writer needn't.
// What can't be read, or changes the mapping, is left to the writer.
func (op *writeOp) prepare(def *definition, cache *termCache) {
	if op.action != "index" && op.action != "create" {
		return
	}
	parsed, m, apiErr := parseDocument(op.source, op.id, def.mapping, def.limits(), cache)
	if apiErr == nil && m == def.mapping {
		op.parsed, op.under = parsed, m
	}
}

// check reports what can't be asked for, whatever is stored.
func (op *writeOp) check() []string {
	var problems []string
	if op.hasID && len(op.id) > maxIDBytes {
		problems = append(problems, fmt.Sprintf("id [%s] is too long, must be no longer than 512 bytes but was: %d", op.id, len(op.id)))
	}
	if (op.action == "delete" || op.action == "update") && !op.hasID {
		problems = append(problems, "id is missing")
	}
	external := op.versionType != versionInternal
	switch {
	case op.action == "create" && (op.version != nil || external):
		problems = append(problems, "create operations do not support versioning. use index instead")
	case op.version != nil && !external:
		problems = append(problems, "internal versioning can not be used for optimistic concurrency control. Please use `if_seq_no` and `if_primary_term` instead")
	case external && (op.version == nil || *op.version < 0):
		v := int64(-3)
		if op.version != nil {
			v = *op.version
		}
		name := "EXTERNAL"
		if op.versionType == versionExternalGTE {
			name = "EXTERNAL_GTE"
		}
		problems = append(problems, fmt.Sprintf("illegal version value [%d] for version type [%s]", v, name))
	}
	if op.ifSeq != nil && external {
		problems = append(problems, "compare and write operations can not use versioning")
	}
	if op.ifSeq != nil && op.ifTerm == nil {
		problems = append(problems, "ifSeqNo is set, but primary term is [0]")
	}
	if op.ifSeq == nil && op.ifTerm != nil {
		problems = append(problems, fmt.Sprintf("ifSeqNo is unassigned, but primary term is [%d]", *op.ifTerm))
	}
	return problems
}

// outcome is what became of a write.
type outcome struct {
	id      string
	result  string // created, updated, deleted, not_found, noop
	version int64
	seq     uint64
	term    int64
	status  int
	get     object // of an update that gives the source back
}

// writer is one atomic commit to an index. It holds index.writes from begin to
// end.
type writer struct {
	ix       *index
	batch    *pebble.Batch
	counters counters
	def      *definition
	mapping  *mapping
	overlay  map[string]*record
	changes  []change
	cache    *termCache
	stored   *pebble.Iterator // over the documents, once one was looked for
	key      []byte
}

func (ix *index) begin() *writer {
	ix.writes.Lock()
	w := &writer{ix: ix, batch: ix.srv.store.db.NewBatch(), counters: ix.counters, overlay: map[string]*record{}}
	w.counters.tokens = maps.Clone(ix.counters.tokens)
	w.def = ix.definition()
	w.mapping = w.def.mapping
	w.cache = ix.parsers.get()
	return w
}

// end gives up what was not committed, and lets the next writer in.
func (w *writer) end() {
	_ = w.batch.Close() // it was committed, or is given up
	if w.stored != nil {
		_ = w.stored.Close() // errors of reads were given back by them
	}
	w.ix.parsers.put(w.cache)
	w.ix.writes.Unlock()
}

// commit makes all writes of the writer durable.
func (w *writer) commit() error {
	if w.counters.nextSeq == w.ix.counters.nextSeq {
		return nil
	}
	if w.ix.removed {
		return indexNotFound(w.ix.name)
	}
	if w.ix.closed.Load() {
		return indexClosed(w.ix)
	}
	def := w.def
	if w.mapping != def.mapping {
		changed := *def
		changed.mapping = w.mapping
		changed.mappingVersion++
		def = &changed
		if err := w.ix.define(w.batch, def); err != nil {
			return err
		}
	}
	if err := w.batch.Set(numberedKey(keyCounters, w.ix.number), w.counters.encode(), nil); err != nil {
		return err
	}
	if err := w.batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("writing to index %s: %w", w.ix.name, err)
	}
	w.ix.counters = w.counters
	w.ix.counted()
	if def != w.def {
		w.ix.publish(def)
	}
	w.ix.engine.wrote(w.changes)
	return nil
}

// find gives the record of an id as this writer sees it. Most look-ups are for ids
// that don't exist yet, which filters say without reading a table.
func (w *writer) find(id string) (*record, error) {
	if r, ok := w.overlay[id]; ok {
		return r, nil
	}
	if w.stored == nil {
		prefix := numberedKey(keyDocument, w.ix.number)
		it, err := w.ix.srv.store.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix), UseL6Filters: true})
		if err != nil {
			return nil, err
		}
		w.stored, w.key = it, prefix
	}
	w.key = append(w.key[:1+numberLength], id...)
	if !w.stored.SeekPrefixGE(w.key) {
		return nil, w.stored.Error()
	}
	value, err := w.stored.ValueAndErr()
	if err != nil {
		return nil, err
	}
	return decodeRecord(bytes.Clone(value))
}

// apply carries out one write. An *apiError leaves the writer as it was; another
// error is a failure of the store.
func (w *writer) apply(op *writeOp) (*outcome, error) {
	if !op.hasID {
		op.id = newDocumentID()
	}
	old, err := w.find(op.id)
	if err != nil {
		return nil, fmt.Errorf("reading document %s of %s: %w", op.id, w.ix.name, err)
	}
	if op.action == "update" {
		return w.applyUpdate(op, old)
	}
	if err := w.checkVersion(op, old); err != nil {
		return nil, err
	}
	if op.action == "delete" {
		return w.delete(op, old)
	}
	if op.action == "create" && op.hasID && exists(old) {
		return nil, versionConflict(w.ix, op.id, "document already exists (current version [%d])", old.version)
	}
	return w.put(op, old, op.source)
}

func exists(r *record) bool { return r != nil && !r.deleted }

func (w *writer) checkVersion(op *writeOp, old *record) *apiError {
	switch {
	case op.ifSeq != nil && !exists(old):
		return versionConflict(w.ix, op.id, "required seqNo [%d], primary term [%d]. but no document was found", *op.ifSeq, *op.ifTerm)
	case op.ifSeq != nil && (uint64(*op.ifSeq) != shownSeq(old.seq) || *op.ifTerm != old.term):
		return versionConflict(w.ix, op.id, "required seqNo [%d], primary term [%d]. current document has seqNo [%d] and primary term [%d]", *op.ifSeq, *op.ifTerm, shownSeq(old.seq), old.term)
	case old == nil || op.version == nil:
		return nil
	case op.versionType == versionExternal && old.version >= *op.version:
		return versionConflict(w.ix, op.id, "current version [%d] is higher or equal to the one provided [%d]", old.version, *op.version)
	case op.versionType == versionExternalGTE && old.version > *op.version:
		return versionConflict(w.ix, op.id, "current version [%d] is higher than the one provided [%d]", old.version, *op.version)
	default:
		return nil
	}
}

// nextVersion is the version that a write gives its document.
func nextVersion(op *writeOp, old *record) int64 {
	switch {
	case op.version != nil:
		return *op.version
	case old == nil:
		return 1
	default:
		return old.version + 1
	}
}

// put stores a document.
func (w *writer) put(op *writeOp, old *record, source []byte) (*outcome, error) {
	parsed, m := op.parsed, w.mapping
	if parsed == nil || op.under != m {
		var apiErr *apiError
		if parsed, m, apiErr = parseDocument(source, op.id, w.mapping, w.def.limits(), w.cache); apiErr != nil {
			return nil, apiErr
		}
	}
	r := &record{version: nextVersion(op, old), routing: op.routing, ignored: parsed.ignored, lengths: parsed.allLengths(), source: source}
	if err := w.store(op.id, old, r); err != nil {
		return nil, err
	}
	w.mapping = m
	w.changes = append(w.changes, change{seq: r.seq, id: op.id, parsed: parsed, fresh: old == nil, bytes: len(source) + parsedOverhead})
	out := &outcome{id: op.id, result: "created", version: r.version, seq: r.seq, term: r.term, status: http.StatusCreated}
	if exists(old) {
		out.result, out.status = "updated", http.StatusOK
	}
	return out, nil
}

// delete leaves a record that keeps the version.
func (w *writer) delete(op *writeOp, old *record) (*outcome, error) {
	r := &record{version: nextVersion(op, old), deleted: true}
	if err := w.store(op.id, old, r); err != nil {
		return nil, err
	}
	w.changes = append(w.changes, change{seq: r.seq, id: op.id, bytes: len(op.id)})
	out := &outcome{id: op.id, result: "deleted", version: r.version, seq: r.seq, term: r.term, status: http.StatusOK}
	if !exists(old) {
		out.result, out.status = "not_found", http.StatusNotFound
	}
	return out, nil
}

// store puts a record in the place of an old one, with the next sequence number.
func (w *writer) store(id string, old, r *record) error {
	r.seq, r.term = w.counters.nextSeq, w.def.term
	if err := w.batch.Set(documentKey(w.ix.number, id), r.encode(), nil); err != nil {
		return err
	}
	if err := w.batch.Set(changeKey(w.ix.number, r.seq), []byte(id), nil); err != nil {
		return err
	}
	w.counters.nextSeq++
	w.overlay[id] = r
	if exists(old) {
		w.counters.live--
		for name, n := range old.lengths {
			w.counters.tokens[name] -= int64(n)
		}
	} else if old != nil {
		w.counters.deleted--
	}
	if r.deleted {
		w.counters.deleted++
		return nil
	}
	w.counters.live++
	for name, n := range r.lengths {
		w.counters.tokens[name] += int64(n)
	}
	return nil
}

// newDocumentID makes up an id of the usual 20 characters.
func newDocumentID() string { return randomID(15) }
