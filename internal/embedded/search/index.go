package search

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// index is one index. What is set at its creation needs no lock.
type index struct {
	name    string
	uuid    string
	number  uint32
	created int64 // milliseconds
	srv     *Server

	// writes lets one writer in at a time. It guards counters and removed.
	writes   sync.Mutex
	removed  bool // deleted: whoever found the index before must not write to it any more
	counters counters
	parsers  parsers

	// state guards def, which is replaced as a whole and never changed.
	state sync.RWMutex
	def   *definition

	engine *engine
	live   atomic.Int64                     // documents
	tokens atomic.Pointer[map[string]int64] // those of counters, for searches, which don't wait for writers
	closed atomic.Bool
}

// definition is what users set of an index.
type definition struct {
	settings settings
	mapping  *mapping
	aliases  map[string]alias
	closed   bool
	// mappingVersion grows with every change of the mapping.
	mappingVersion int
	// term is the primary term: it grows when the index is closed or opened.
	term int64
}

// alias is another name of an index.
type alias struct {
	filter     *node
	writeIndex *bool
	hidden     *bool
	index      string // index_routing
	search     string // search_routing
}

// counters are the numbers of an index that every write changes.
type counters struct {
	nextSeq uint64
	live    int64 // documents
	deleted int64 // tombstones
	// tokens is the number of tokens in all documents, by text field, and the number
	// of values beyond the first one of each, by keyword field.
	tokens map[string]int64
	// trimmed is the last sequence number that is not in the list of changes any
	// more.
	trimmed uint64
}

func (c *counters) encode() []byte {
	b := []byte{recordFormat}
	b = binary.AppendUvarint(b, c.nextSeq)
	b = binary.AppendVarint(b, c.live)
	b = binary.AppendVarint(b, c.deleted)
	b = binary.AppendUvarint(b, c.trimmed)
	b = binary.AppendUvarint(b, uint64(len(c.tokens)))
	for _, name := range slices.Sorted(maps.Keys(c.tokens)) {
		b = appendText(b, name)
		b = binary.AppendVarint(b, c.tokens[name])
	}
	return b
}

func decodeCounters(b []byte) (counters, error) {
	c := counters{nextSeq: firstSeq, tokens: map[string]int64{}}
	if b == nil {
		return c, nil
	}
	if len(b) < 1 || b[0] != recordFormat {
		return c, errRecord
	}
	d := &recordReader{b: b[1:]}
	c.nextSeq = d.uvarint()
	c.live, c.deleted = d.varint(), d.varint()
	c.trimmed = d.uvarint()
	for range d.count() {
		name := d.text()
		c.tokens[name] = d.varint()
	}
	if d.bad {
		return c, errRecord
	}
	return c, nil
}

// firstSeq is the database's number of an index's first change. Clients see
// numbers from 0, so that 0 is free for "none" inside.
const firstSeq = 1

// firstTerm is the primary term of a new index.
const firstTerm = 1

// shownSeq is a sequence number as clients see it.
func shownSeq(seq uint64) uint64 { return seq - firstSeq }

// counted shows the counters, which have changed, to searches. The caller holds writes.
func (ix *index) counted() {
	ix.live.Store(ix.counters.live)
	tokens := ix.counters.tokens
	ix.tokens.Store(&tokens)
}

// definition gives the current one.
func (ix *index) definition() *definition {
	ix.state.RLock()
	defer ix.state.RUnlock()
	return ix.def
}

// averageLength gives the average number of tokens of a text field over n
// documents.
func (ix *index) averageLength(path string, n uint64) float32 {
	total := (*ix.tokens.Load())[path]
	if n == 0 || total <= 0 {
		return 1
	}
	return float32(float64(total) / float64(n))
}

// averageValues gives how many different values the n documents that have a field
// without lengths have of it on average.
func (ix *index) averageValues(path string, n uint64) float32 {
	more := (*ix.tokens.Load())[path]
	if n == 0 || more <= 0 {
		return 1
	}
	return 1 + float32(float64(more)/float64(n))
}

// encodeDefinition is what the database has of an index.
func (ix *index) encodeDefinition(def *definition) []byte {
	return encodeJSON(object{
		{"format", 1}, {"number", int64(ix.number)}, {"uuid", ix.uuid}, {"created", ix.created},
		{"closed", def.closed}, {"term", def.term}, {"settings", def.settings.render(true)},
		{"mappings", def.mapping.render()}, {"aliases", renderAliases(def.aliases)},
	}, false)
}

// decodeIndex reads what the database has of an index.
func decodeIndex(srv *Server, name string, raw []byte) (*index, error) {
	n, _, err := parseJSON(bytes.Clone(raw))
	if err != nil {
		return nil, fmt.Errorf("reading the definition of index %s: %w", name, err)
	}
	number, err := strconv.ParseUint(n.get("number").text, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("reading the definition of index %s: %w", name, err)
	}
	created, err := strconv.ParseInt(n.get("created").text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("reading the definition of index %s: %w", name, err)
	}
	set, apiErr := parseSettings(n.get("settings"))
	if apiErr != nil {
		return nil, fmt.Errorf("reading the settings of index %s: %w", name, apiErr)
	}
	m, apiErr := parseMapping(n.get("mappings"))
	if apiErr != nil {
		return nil, fmt.Errorf("reading the mapping of index %s: %w", name, apiErr)
	}
	aliases, apiErr := parseAliases(n.get("aliases"))
	if apiErr != nil {
		return nil, fmt.Errorf("reading the aliases of index %s: %w", name, apiErr)
	}
	ix := &index{name: name, uuid: n.get("uuid").text, number: uint32(number), created: created, srv: srv}
	ix.def = &definition{settings: set, mapping: m, aliases: aliases, closed: n.get("closed").kind == kindTrue}
	ix.def.term = firstTerm
	if t := n.get("term"); t != nil {
		if ix.def.term, err = strconv.ParseInt(t.text, 10, 64); err != nil {
			return nil, fmt.Errorf("reading the definition of index %s: %w", name, err)
		}
	}
	ix.closed.Store(ix.def.closed)
	return ix, nil
}

// open reads the counters and opens the inverted index.
func (ix *index) open() error {
	raw, err := ix.srv.store.get(numberedKey(keyCounters, ix.number))
	if err != nil {
		return err
	}
	if ix.counters, err = decodeCounters(raw); err != nil {
		return fmt.Errorf("reading the counters of index %s: %w", ix.name, err)
	}
	ix.counted()
	ix.engine, err = openEngine(ix)
	return err
}

// define changes the definition. The caller holds writes; b, when given, is the
// commit of which the change is a part.
func (ix *index) define(b *pebble.Batch, def *definition) error {
	return b.Set(namedKey(keyIndex, ix.name), ix.encodeDefinition(def), nil)
}

// publish makes a definition, which was committed, the current one.
func (ix *index) publish(def *definition) {
	ix.state.Lock()
	ix.def = def
	ix.state.Unlock()
	ix.closed.Store(def.closed)
}

// change replaces the definition by what f makes of it.
func (ix *index) change(f func(definition) (*definition, *apiError)) error {
	ix.writes.Lock()
	defer ix.writes.Unlock()
	if ix.removed {
		return indexNotFound(ix.name)
	}
	def, apiErr := f(*ix.definition())
	if apiErr != nil {
		return apiErr
	}
	b := ix.srv.store.db.NewBatch()
	if err := ix.define(b, def); err != nil {
		return err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("writing the definition of index %s: %w", ix.name, err)
	}
	ix.publish(def)
	ix.engine.configure(def.settings.refreshInterval(ix.srv.cfg.RefreshInterval))
	return nil
}

// limits are those of the mapping.
func (d *definition) limits() mappingLimits {
	return mappingLimits{
		fields: d.settings.number("mapping.total_fields.limit", defaultFieldLimit),
		depth:  d.settings.number("mapping.depth.limit", defaultDepthLimit),
	}
}

// shards is how many copies of the data an index is said to have.
func (d *definition) shards() (primaries, total int) {
	primaries = d.settings.number("number_of_shards", 1)
	return primaries, primaries * (1 + d.settings.number("number_of_replicas", 1))
}

// createdAt is when the index was made.
func (ix *index) createdAt() time.Time { return time.UnixMilli(ix.created) }

func renderAliases(aliases map[string]alias) object {
	o := object{}
	for _, name := range slices.Sorted(maps.Keys(aliases)) {
		o = append(o, field{name, aliases[name].render()})
	}
	return o
}

func (a alias) render() object {
	o := object{}
	if a.filter != nil {
		o = append(o, field{"filter", a.filter})
	}
	if a.index != "" {
		o = append(o, field{"index_routing", a.index})
	}
	if a.search != "" {
		o = append(o, field{"search_routing", a.search})
	}
	if a.writeIndex != nil {
		o = append(o, field{"is_write_index", *a.writeIndex})
	}
	if a.hidden != nil {
		o = append(o, field{"is_hidden", *a.hidden})
	}
	return o
}

// parseAliases reads the "aliases" of a request.
func parseAliases(n *node) (map[string]alias, *apiError) {
	aliases := map[string]alias{}
	if n == nil {
		return aliases, nil
	}
	if n.kind != kindObject {
		return nil, newError(400, "parse_exception", "expected object but got [%s] for [aliases]", n.token())
	}
	for _, m := range n.members {
		a, err := parseAlias(m.value)
		if err != nil {
			return nil, err
		}
		aliases[m.name] = a
	}
	return aliases, nil
}

// parseAlias reads the properties of an alias.
func parseAlias(n *node) (alias, *apiError) {
	var a alias
	if n == nil || n.kind != kindObject {
		return a, nil
	}
	for _, p := range n.members {
		on := p.value.kind == kindTrue
		switch p.name {
		case "filter":
			a.filter = p.value
		case "is_write_index":
			a.writeIndex = &on
		case "is_hidden":
			a.hidden = &on
		case "routing":
			a.index, a.search = p.value.text, p.value.text
		case "index_routing":
			a.index = p.value.text
		case "search_routing":
			a.search = p.value.text
		case "index", "indices", "alias", "aliases", "must_exist":
		default:
			return a, illegalArgument("Unknown field [%s] in alias", p.name)
		}
	}
	return a, nil
}
