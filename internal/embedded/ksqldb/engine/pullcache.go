package engine

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// pullCache remembers pull queries that look up one row by its key, such as
// SELECT * FROM t WHERE id = 'x', without the key: of the next one that differs
// only there, nothing has to be parsed and planned again. A text is remembered only
// when it was seen that the literal taken out of it serves as the key and as nothing
// else, and only as long as the metastore stays as it is.
type pullCache struct {
	mu      sync.RWMutex
	catalog *catalog.Catalog
	shapes  map[string]*pullShape
}

// pullShape is a pull query without its key.
type pullShape struct {
	pull    *tablePull
	columns []Column
}

// maxPullShapes bounds how many are remembered.
const maxPullShapes = 500

// maxKeyDigits bounds the numbers taken for keys: all of that length are INTEGER
// literals.
const maxKeyDigits = 9

// literal is the place of a literal in a text, and its value.
type literal struct {
	from, to int
	value    types.Value
}

// shape is the text without the literal.
func (l literal) shape(text string) string {
	mark := "''"
	if text[l.from] != '\'' {
		mark = "0"
	}
	return text[:l.from] + mark + text[l.to:]
}

// keyLiteral finds the literal that may be the key: the only text, else the last
// whole number.
func keyLiteral(text string) (literal, bool) {
	if strings.Contains(text, "${") {
		return literal{}, false
	}
	if from := strings.IndexByte(text, '\''); from >= 0 {
		n := strings.IndexByte(text[from+1:], '\'')
		if n < 0 || strings.IndexByte(text[from+n+2:], '\'') >= 0 {
			return literal{}, false
		}
		return literal{from, from + n + 2, types.StringValue(text[from+1 : from+1+n])}, true
	}
	to := len(text)
	for to > 0 && !isDigit(text[to-1]) {
		to--
	}
	from := to
	for from > 0 && isDigit(text[from-1]) {
		from--
	}
	if from == 0 || to-from > maxKeyDigits || inWord(text[from-1]) || to < len(text) && inWord(text[to]) {
		return literal{}, false
	}
	n, err := strconv.ParseInt(text[from:to], 10, 32)
	return literal{from, to, types.IntValue(n)}, err == nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// inWord reports whether a character next to digits makes them part of something
// longer.
func inWord(c byte) bool {
	return c == '_' || c == '.' || c == '@' || c >= 0x80 || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// find gives the query of a request that was seen before but for its key, or nil.
func (p *pullCache) find(e *Engine, req *Request) *Query {
	if len(req.Properties) > 0 || len(req.Variables) > 0 {
		return nil
	}
	text := strings.TrimSpace(req.SQL)
	l, ok := keyLiteral(text)
	if !ok {
		return nil
	}
	p.mu.RLock()
	shape := p.shapes[l.shape(text)]
	current := p.catalog == e.Catalog()
	p.mu.RUnlock()
	if shape == nil || !current {
		return nil
	}
	pull := *shape.pull.Pull
	pull.Lookups = []plan.Lookup{{Key: []types.Value{l.value}}}
	return &Query{
		ID: pullID(time.Now()), Kind: TablePullQuery, Columns: shape.columns, engine: e, text: text,
		properties: map[string]string{}, pull: &tablePull{Pull: &pull, columns: shape.pull.columns},
	}
}

// pullID is the id of a pull query on a table that begins now.
func pullID(now time.Time) string { return "query_" + strconv.FormatInt(now.UnixMilli(), 10) }

// add remembers a query that was prepared with a metastore, if it is one that can
// be told without its key.
func (p *pullCache) add(c *catalog.Catalog, req *Request, q *Query) {
	if len(req.Properties) > 0 || len(req.Variables) > 0 || q.Kind != TablePullQuery {
		return
	}
	l, ok := keyLiteral(q.text)
	if !ok || !l.isKeyOf(q.pull.Pull) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.catalog != c || len(p.shapes) >= maxPullShapes {
		p.catalog, p.shapes = c, map[string]*pullShape{}
	}
	p.shapes[l.shape(q.text)] = &pullShape{pull: q.pull, columns: q.Columns}
}

// isKeyOf reports whether the literal is the key that a query looks up, and whether
// that is all that its WHERE clause asks.
func (l literal) isKeyOf(p *plan.Pull) bool {
	if p.Scan || p.Nothing || len(p.Lookups) != 1 || len(p.Schema.Key) != 1 || len(p.Lookups[0].Key) != 1 || p.Predicate == nil {
		return false
	}
	where, ok := p.Predicate.AST.(*ast.Comparison)
	if !ok || where.Op != ast.Equal {
		return false
	}
	column, value := where.Left, where.Right
	if _, ok := column.(*ast.ColumnRef); !ok {
		column, value = value, column
	}
	if ref, ok := column.(*ast.ColumnRef); !ok || ref.Name.Name != p.Schema.Key[0].Name {
		return false
	}
	key := p.Lookups[0].Key[0]
	switch v := value.(type) {
	case *ast.StringLiteral:
		return p.Schema.Key[0].Type.Kind == types.KindString && v.Start.Offset == l.from && v.Value == l.value.Str() && key.Str() == v.Value
	case *ast.IntegerLiteral:
		kind := p.Schema.Key[0].Type.Kind
		return (kind == types.KindInteger || kind == types.KindBigint) && v.Start.Offset == l.from && int64(v.Value) == l.value.Int() && key.Int() == int64(v.Value)
	default:
		return false
	}
}
