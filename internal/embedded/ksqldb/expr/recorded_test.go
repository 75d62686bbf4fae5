package expr_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/reference"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// recordedFolder is the folder with recordings of a real ksqlDB; the test is
// skipped where it is absent.
func recordedFolder(t testing.TB, area string) string {
	dir := os.Getenv("ORDERFLOW_RECORDED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "..", "shared", "recorded")
	}
	dir = filepath.Join(dir, area)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no recordings: %v (set ORDERFLOW_RECORDED)", err)
	}
	return dir
}

func readLines(t testing.TB, path string) [][]byte {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	var lines [][]byte
	s := bufio.NewScanner(f)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		if len(bytes.TrimSpace(s.Bytes())) > 0 {
			lines = append(lines, bytes.Clone(s.Bytes()))
		}
	}
	require.NoError(t, s.Err())
	return lines
}

func newCompiler(t testing.TB) *expr.Compiler {
	r, err := function.Builtin(function.Options{})
	require.NoError(t, err)
	return &expr.Compiler{Registry: r}
}

// schemaOf reads the columns of a source as CREATE lists them.
func schemaOf(t testing.TB, kind, columns string) *types.Schema {
	statements, err := parser.Parse("CREATE " + kind + " X (" + columns + ") WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON');")
	require.NoError(t, err)
	schema := &types.Schema{}
	for _, e := range statements[0].(*ast.CreateSource).Elements {
		typ, err := expr.ResolveType(e.Type, nil)
		require.NoError(t, err)
		c := types.Column{Name: e.Name.Name, Type: typ}
		if e.Role == ast.KeyColumn || e.Role == ast.PrimaryKeyColumn {
			schema.Key = append(schema.Key, c)
		} else {
			schema.Value = append(schema.Value, c)
		}
	}
	return schema
}

func decodeJSON(t testing.TB, data []byte) any {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v))
	return v
}

// valueOf reads the JSON of an input record.
func valueOf(t testing.TB, typ *types.Type, v any) types.Value {
	if v == nil {
		return types.Null
	}
	switch typ.Kind {
	case types.KindBoolean:
		return types.BoolValue(v.(bool))
	case types.KindString:
		return types.StringValue(v.(string))
	case types.KindBytes:
		b, err := base64.StdEncoding.DecodeString(v.(string))
		require.NoError(t, err)
		return types.BytesValue(b)
	case types.KindDouble:
		f, err := v.(json.Number).Float64()
		require.NoError(t, err)
		return types.DoubleValue(f)
	case types.KindDecimal:
		d, err := types.ParseDecimal(v.(json.Number).String())
		require.NoError(t, err)
		d, err = types.FitDecimal(d, typ.Precision, typ.Scale)
		require.NoError(t, err)
		return types.DecimalValue(d)
	case types.KindArray:
		var elems []types.Value
		for _, e := range v.([]any) {
			elems = append(elems, valueOf(t, typ.Elem, e))
		}
		return types.ArrayValue(elems)
	case types.KindMap:
		b := types.NewMapBuilder(typ.Key, 0)
		for k, e := range v.(map[string]any) {
			b.Put(types.StringValue(k), valueOf(t, typ.Elem, e))
		}
		return b.Value()
	case types.KindStruct:
		members := make([]types.Value, len(typ.Fields))
		for i, f := range typ.Fields {
			members[i] = valueOf(t, f.Type, v.(map[string]any)[f.Name])
		}
		return types.StructValue(members)
	default:
		i, err := v.(json.Number).Int64()
		require.NoError(t, err)
		return types.IntValue(i)
	}
}

// shows reports whether a value is shown as this JSON.
func shows(typ *types.Type, v types.Value, want any) bool {
	if v.IsNull() || want == nil {
		return v.IsNull() && want == nil
	}
	switch typ.Kind {
	case types.KindBoolean:
		return want == v.Bool()
	case types.KindBytes:
		return want == base64.StdEncoding.EncodeToString(v.Bytes())
	case types.KindArray:
		list, ok := want.([]any)
		if !ok || len(list) != len(v.Elems()) {
			return false
		}
		for i, e := range v.Elems() {
			if !shows(typ.Elem, e, list[i]) {
				return false
			}
		}
		return true
	case types.KindMap:
		m, ok := want.(map[string]any)
		if !ok || len(m) != len(v.Map().Keys) {
			return false
		}
		for i, k := range v.Map().Keys {
			e, ok := m[types.Text(typ.Key, k)]
			if !ok || !shows(typ.Elem, v.Map().Values[i], e) {
				return false
			}
		}
		return true
	case types.KindStruct:
		m, ok := want.(map[string]any)
		if !ok || len(m) != len(typ.Fields) {
			return false
		}
		for i, f := range typ.Fields {
			if !shows(f.Type, v.Elems()[i], m[f.Name]) {
				return false
			}
		}
		return true
	case types.KindDate, types.KindTime, types.KindTimestamp:
		if n, ok := want.(json.Number); ok {
			return n.String() == fmt.Sprint(v.Int())
		}
		// Rows show years beyond 9999 without the sign that casts give them.
		return strings.TrimPrefix(types.Text(typ, v), "+") == want
	case types.KindDecimal:
		return fmt.Sprint(want) == types.DecimalText(v.Decimal())
	default:
		return fmt.Sprint(want) == types.Text(typ, v)
	}
}

type recordedError struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
}

type recordedExpression struct {
	Group        string            `json:"group"`
	Expression   string            `json:"expression"`
	Type         string            `json:"type"`
	Values       []json.RawMessage `json:"values"`
	Error        *recordedError    `json:"error"`
	ExplainError *recordedError    `json:"explain_error"`
}

func (r *recordedExpression) message() string {
	if r.ExplainError != nil {
		return r.ExplainError.Message
	}
	return r.Error.Message
}

// internals are texts of the Java machinery below ksqlDB, for which any refusal
// is as good.
var internals = regexp.MustCompile(`Line \d+, Column \d+|NullPointerException|Cannot invoke|internal error|io\.confluent|^returnType$|^type$|Syntax Error|Unexpected error`)

// sameRefusal compares error texts: our own without the schema, ksqlDB's
// without the words of the statement around the expression.
func sameRefusal(got, want string) bool {
	if internals.MatchString(want) {
		return true
	}
	for _, prefix := range []string{"Failed to prepare statement: ", "Exception while preparing statement: "} {
		want = strings.TrimPrefix(want, prefix)
	}
	place := regexp.MustCompile(`^Line: \d+, Col: \d+: `)
	got, want = place.ReplaceAllString(got, ""), place.ReplaceAllString(want, "")
	got, _, _ = strings.Cut(got, ", schema:")
	want, _, _ = strings.Cut(want, ", schema:")
	return got == want
}

func (r *recordedExpression) replay(t testing.TB, c *expr.Compiler, scope *expr.Scope, rows []*types.Row) string {
	compiled, err := compileText(c, scope, r.Expression)
	if r.Error != nil {
		switch {
		case err == nil:
			return "is accepted; ksqlDB: " + r.message()
		case isSyntaxError(err):
		case !sameRefusal(err.Error(), r.message()):
			return "is refused with\n  " + err.Error() + "\nksqlDB:\n  " + r.message()
		}
		return ""
	}
	if err != nil {
		return "is refused: " + err.Error()
	}
	if got := compiled.Type.String(); got != r.Type {
		return "has type " + got + ", want " + r.Type
	}
	for i, row := range rows {
		v, err := compiled.Eval(row)
		if err != nil {
			v = types.Null
		}
		if want := decodeJSON(t, r.Values[i]); !shows(compiled.Type, v, want) {
			return fmt.Sprintf("row %d: %s (error: %v), want %s", i+1, types.Text(compiled.Type, v), err, r.Values[i])
		}
	}
	return ""
}

// isSyntaxError tells errors of the parser, whose own tests compare the texts.
func isSyntaxError(err error) bool {
	var e *parser.Error
	return errors.As(err, &e)
}

func compileText(c *expr.Compiler, scope *expr.Scope, text string) (*expr.Compiled, error) {
	e, err := parser.ParseExpr(text)
	if err != nil {
		return nil, err
	}
	return c.Compile(e, scope)
}

// TestRecordedFunctions evaluates every expression that a real ksqlDB was asked
// for and compares types, values and error texts; then it runs the recorded
// aggregations, joins and statements with table functions.
func TestRecordedFunctions(t *testing.T) {
	dir := recordedFolder(t, "functions")
	data, err := os.ReadFile(filepath.Join(dir, "inputs.json"))
	require.NoError(t, err)
	var inputs struct {
		Columns string            `json:"columns"`
		Rows    []json.RawMessage `json:"rows"`
	}
	require.NoError(t, json.Unmarshal(data, &inputs))
	schema := schemaOf(t, "STREAM", inputs.Columns)
	var rows []*types.Row
	for _, raw := range inputs.Rows {
		m := decodeJSON(t, raw).(map[string]any)
		row := &types.Row{}
		for _, c := range schema.Key {
			row.Key = append(row.Key, valueOf(t, c.Type, m[c.Name]))
		}
		for _, c := range schema.Value {
			row.Value = append(row.Value, valueOf(t, c.Type, m[c.Name]))
		}
		rows = append(rows, row)
	}
	c, scope := newCompiler(t), expr.ScopeOf(schema, false)
	counts := &comparison{t: t, seen: map[string]bool{}, known: readKnown(t)}
	defer func() {
		fmt.Printf("recorded/functions: %d of %d match\n", counts.matched, counts.total)
		assert.NoError(t, reference.CheckResult("recorded/functions", counts.matched, counts.total))
	}()
	e := newEngine(t)
	require.NoError(t, execute(e, "CREATE STREAM FS ("+inputs.Columns+") WITH (KAFKA_TOPIC='fs', PARTITIONS=1, VALUE_FORMAT='JSON');"))
	for _, line := range readLines(t, filepath.Join(dir, "scalar.jsonl")) {
		var r recordedExpression
		require.NoError(t, json.Unmarshal(line, &r))
		difference := r.replay(t, c, scope, rows)
		if difference != "" && r.Error != nil {
			// Some refusals are rules of queries, not of expressions.
			_, err := e.Select(t.Context(), "SELECT K, "+r.Expression+" AS R0 FROM FS;")
			if err != nil && sameRefusal(err.Error(), r.message()) {
				difference = ""
			}
		}
		counts.check(r.Expression, difference)
	}
	replayAggregates(t, dir, counts)
	replayJoins(t, dir, counts)
	replayStatements(t, dir, inputs.Columns, inputs.Rows, counts)
	if os.Getenv("ORDERFLOW_RECORDED") != "" {
		return // another folder need not have all that is listed
	}
	for e := range counts.known {
		require.True(t, counts.seen[e], "known difference %q is not in the recordings", e)
	}
}

// comparison counts the recorded answers, each against the list of known
// differences.
type comparison struct {
	t              *testing.T
	total, matched int
	seen           map[string]bool
	known          map[string]string
}

// readKnown reads the list of known differences: a text, a tab and the reason.
func readKnown(t testing.TB) map[string]string {
	known := map[string]string{}
	for _, line := range readLines(t, filepath.Join("testdata", "known-differences.txt")) {
		if line[0] == '#' {
			continue
		}
		text, reason, found := strings.Cut(string(line), "\t")
		require.True(t, found, "a known difference needs a reason: %s", line)
		known[text] = reason
	}
	return known
}

func (c *comparison) check(recorded, difference string) {
	c.total++
	c.seen[recorded] = true
	reason, known := c.known[recorded]
	switch {
	case difference == "" && known:
		c.matched++
		c.t.Errorf("%s matches now: take it off the list of known differences", recorded)
	case difference == "":
		c.matched++
	case !known:
		c.t.Errorf("%s %s", recorded, difference)
	case reason == "":
		c.t.Errorf("%s: the list of known differences gives no reason", recorded)
	}
}
