package format_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/reference"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// recordedFolder finds the recordings of a real ksqlDB server.
func recordedFolder(t *testing.T, area string) string {
	root := os.Getenv("ORDERFLOW_RECORDED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "..", "shared", "recorded")
	}
	folder := filepath.Join(root, area)
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("no recordings in %s: set ORDERFLOW_RECORDED to the folder that holds them", folder)
	}
	return folder
}

// lines reads a JSON Lines file with numbers kept as they are written.
func lines[T any](t *testing.T, path string) []T {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var out []T
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			dec := json.NewDecoder(bytes.NewReader(line))
			dec.UseNumber()
			var v T
			require.NoError(t, dec.Decode(&v))
			out = append(out, v)
		}
		if err != nil {
			return out
		}
	}
}

type tally struct {
	t              *testing.T
	matched, total int
	known          map[string]string
	seen           map[string]bool
}

// check counts one recorded answer and compares it with the list of known
// failures.
func (c *tally) check(id string, err error) {
	c.total++
	reason, known := c.known[id]
	c.seen[id] = true
	switch {
	case err == nil && known:
		c.t.Errorf("%s matches now: take it off the list of known failures (%s)", id, reason)
	case err == nil:
		c.matched++
	case !known:
		c.t.Errorf("%s: %s", id, err)
	}
}

func knownFailures(t *testing.T) map[string]string {
	data, err := os.ReadFile(filepath.Join("testdata", "known-failures.txt"))
	require.NoError(t, err)
	known := map[string]string{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, reason, found := strings.Cut(line, " ")
		require.True(t, found, "a known failure needs a reason: %s", line)
		known[id] = strings.TrimSpace(reason)
	}
	return known
}

func TestRecordedFormats(t *testing.T) {
	folder := recordedFolder(t, "formats")
	c := &tally{t: t, known: knownFailures(t), seen: map[string]bool{}}
	defer func() {
		fmt.Printf("recorded/formats: %d of %d match\n", c.matched, c.total)
		assert.NoError(t, reference.CheckResult("recorded/formats", c.matched, c.total))
	}()
	replayReadJSON(t, filepath.Join(folder, "read-json.jsonl"), c)
	replayReadAvro(t, filepath.Join(folder, "read-avro.jsonl"), c)
	replayWrite(t, filepath.Join(folder, "write.jsonl"), c)
	for id := range c.known {
		if !c.seen[id] && os.Getenv("ORDERFLOW_RECORDED") == "" {
			t.Errorf("%s is on the list of known failures but not in the recordings", id)
		}
	}
}

type readCase struct {
	Type  string
	JSON  string
	Value any
	Error string
}

func replayReadJSON(t *testing.T, path string, c *tally) {
	for _, rc := range lines[readCase](t, path) {
		id := "read-json:" + strings.ReplaceAll(rc.Type, " ", "") + ":" + strings.ReplaceAll(rc.JSON, " ", "_")
		columnType := parseType(t, rc.Type)
		s, err := format.New(context.Background(), format.Spec{
			Format: "JSON", Columns: []types.Column{{Name: "V", Type: columnType}}, Topic: "t",
		}, nil)
		require.NoError(t, err)
		values, err := s.Deserialize([]byte(rc.JSON))
		c.check(id, compareRead(rc, columnType, values, err))
	}
}

func compareRead(rc readCase, columnType *types.Type, values []types.Value, err error) error {
	if rc.Error != "" {
		if err == nil {
			return fmt.Errorf("read as %s where ksqlDB skips the record", display(columnType, values[0], true))
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("not read: %w", err)
	}
	got := types.Null
	if values != nil {
		got = values[0]
	}
	want, _ := json.Marshal(rc.Value)
	if shown := display(columnType, got, true); !sameJSON(shown, string(want)) {
		return fmt.Errorf("read as %s, want %s", shown, want)
	}
	return nil
}

// display shows a value as the rows of a query do.
func display(t *types.Type, v types.Value, top bool) string {
	if v.IsNull() {
		return "null"
	}
	switch t.Kind {
	case types.KindTimestamp, types.KindDate, types.KindTime:
		if top {
			return strconv.Quote(displayTime(t, v.Int()))
		}
		return strconv.FormatInt(v.Int(), 10)
	case types.KindBytes:
		s, _ := json.Marshal(v.Bytes())
		return string(s)
	case types.KindString:
		s, _ := json.Marshal(v.Str())
		return string(s)
	case types.KindBoolean:
		return strconv.FormatBool(v.Bool())
	case types.KindDouble:
		return string(types.AppendDouble(nil, v.Double()))
	case types.KindDecimal:
		return string(types.AppendDecimal(nil, v.Decimal()))
	case types.KindArray:
		parts := []string{}
		for _, e := range v.Elems() {
			parts = append(parts, display(t.Elem, e, false))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case types.KindStruct:
		parts := []string{}
		for i, e := range v.Elems() {
			parts = append(parts, strconv.Quote(t.Fields[i].Name)+":"+display(t.Fields[i].Type, e, false))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case types.KindMap:
		parts := []string{}
		for i, k := range v.Map().Keys {
			parts = append(parts, strconv.Quote(k.Str())+":"+display(t.Elem, v.Map().Values[i], false))
		}
		return "{" + strings.Join(parts, ",") + "}"
	default:
		return strconv.FormatInt(v.Int(), 10)
	}
}

// sameJSON compares two JSON texts, numbers by value.
func sameJSON(a, b string) bool {
	return assert.ObjectsAreEqual(normal(a), normal(b))
}

func normal(text string) any {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return text
	}
	return normalNumbers(v)
}

func normalNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		d, err := types.ParseDecimal(v.String())
		if err != nil {
			return v
		}
		d.Reduce(d)
		return d.String()
	case []any:
		for i := range v {
			v[i] = normalNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = normalNumbers(v[k])
		}
	}
	return v
}

func fromHex(t *testing.T, text *string) []byte {
	if text == nil {
		return nil
	}
	b, err := hex.DecodeString(*text)
	require.NoError(t, err)
	if b == nil {
		b = []byte{}
	}
	return b
}

// parseType reads a SQL type as the recordings write it.
func parseType(t *testing.T, text string) *types.Type {
	p := &typeParser{t: t, rest: text}
	return p.parse()
}

type typeParser struct {
	t    *testing.T
	rest string
}

func (p *typeParser) blanks() { p.rest = strings.TrimLeft(p.rest, " ") }

func (p *typeParser) accept(s string) bool {
	p.blanks()
	if strings.HasPrefix(p.rest, s) {
		p.rest = p.rest[len(s):]
		return true
	}
	return false
}

func (p *typeParser) name() string {
	p.blanks()
	if p.accept("`") {
		name, rest, _ := strings.Cut(p.rest, "`")
		p.rest = rest
		return name
	}
	end := strings.IndexFunc(p.rest, func(r rune) bool {
		return !(r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
	})
	if end < 0 {
		end = len(p.rest)
	}
	name := p.rest[:end]
	p.rest = p.rest[end:]
	return strings.ToUpper(name)
}

func (p *typeParser) number() int {
	n, err := strconv.Atoi(p.name())
	require.NoError(p.t, err)
	return n
}

func (p *typeParser) parse() *types.Type {
	switch name := p.name(); name {
	case "BOOLEAN":
		return types.Boolean
	case "INT", "INTEGER":
		return types.Integer
	case "BIGINT":
		return types.Bigint
	case "DOUBLE":
		return types.Double
	case "STRING", "VARCHAR":
		return types.String
	case "BYTES":
		return types.Bytes
	case "TIME":
		return types.Time
	case "DATE":
		return types.Date
	case "TIMESTAMP":
		return types.Timestamp
	case "DECIMAL":
		p.accept("(")
		precision := p.number()
		p.accept(",")
		scale := p.number()
		p.accept(")")
		return types.DecimalOf(precision, scale)
	case "ARRAY":
		p.accept("<")
		elem := p.parse()
		p.accept(">")
		return types.ArrayOf(elem)
	case "MAP":
		p.accept("<")
		key := p.parse()
		p.accept(",")
		elem := p.parse()
		p.accept(">")
		return types.MapOf(key, elem)
	case "STRUCT":
		p.accept("<")
		var fields []types.Field
		for {
			name := p.name()
			fields = append(fields, types.Field{Name: name, Type: p.parse()})
			if !p.accept(",") {
				break
			}
		}
		p.accept(">")
		return types.StructOf(fields...)
	default:
		require.Fail(p.t, "unknown type "+name+" before "+p.rest)
		return nil
	}
}

// displayTime shows a time, date or timestamp as ksqlDB's rows do.
func displayTime(t *types.Type, n int64) string {
	switch t.Kind {
	case types.KindTime:
		text := fmt.Sprintf("%02d:%02d:%02d", n/3600000%24, n/60000%60, n/1000%60)
		return strings.TrimSuffix(text, ":00")
	case types.KindDate:
		return civil(n)
	default:
		days := floorDiv(n, 86400000)
		ms := n - days*86400000
		return fmt.Sprintf("%sT%02d:%02d:%02d.%03d", strings.TrimPrefix(civil(days), "+"), ms/3600000, ms/60000%60, ms/1000%60, ms%1000)
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// civil turns days since 1970-01-01 into a date of the proleptic Gregorian
// calendar, with a sign for years of more than four digits.
func civil(days int64) string {
	days += 719468
	era := floorDiv(days, 146097)
	doe := days - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	y := yoe + era*400
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d := doy - (153*mp+2)/5 + 1
	m := mp + 3
	if m > 12 {
		m -= 12
		y++
	}
	sign := ""
	if y > 9999 {
		sign = "+"
	}
	return fmt.Sprintf("%s%04d-%02d-%02d", sign, y, m, d)
}
