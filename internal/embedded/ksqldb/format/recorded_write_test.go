package format_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

type recordedRecord struct {
	Topic    string
	KeyHex   *string `json:"key_hex"`
	ValueHex *string `json:"value_hex"`
}

type recordedSubject struct {
	Subject    string
	ID         int
	SchemaType string
	Schema     string
}

type writeCase struct {
	Input       []recordedRecord
	Statement   string
	Status      int
	Error       string
	Records     []recordedRecord
	Subjects    []recordedSubject
	QueryErrors []any
}

// sourceRow is a record of the source, all columns by name; nil values mean
// that the record's value is null.
type sourceRow struct {
	key    types.Value
	values map[string]types.Value
}

// replayWrite checks the bytes and schemas of every sink of write.jsonl. The
// statements select bare columns, so that is all that is evaluated here.
func replayWrite(t *testing.T, path string, c *tally) {
	cases := lines[writeCase](t, path)
	source := parseCreate(t, cases[0].Statement)
	rows, err := readInput(source, t, cases[0].Input)
	require.NoError(t, err)
	for _, wc := range cases[1:] {
		q := parseCreateAs(t, wc.Statement, source)
		c.check("write:"+q.name, q.compare(t, wc, rows))
	}
}

type createAs struct {
	name       string
	key, value format.Spec
	where      map[int64]bool
}

var (
	createText   = regexp.MustCompile(`^CREATE STREAM (\w+) \((.*)\) WITH \((.*)\);$`)
	createAsText = regexp.MustCompile(`^CREATE STREAM (\w+) WITH \((.*)\) AS SELECT (.*?) FROM FW(?: WHERE (.*?))?(?: PARTITION BY (.*?))?;$`)
	propertyText = regexp.MustCompile(`(\w+)=('[^']*'|\w+)`)
)

func properties(text string) map[string]string {
	out := map[string]string{}
	for _, m := range propertyText.FindAllStringSubmatch(text, -1) {
		out[m[1]] = strings.Trim(m[2], "'")
	}
	return out
}

func parseCreate(t *testing.T, statement string) []types.Column {
	m := createText.FindStringSubmatch(statement)
	require.NotNil(t, m, statement)
	p := &typeParser{t: t, rest: m[2]}
	var cols []types.Column
	for {
		name := p.name()
		col := types.Column{Name: name, Type: p.parse()}
		p.accept("KEY")
		cols = append(cols, col)
		if !p.accept(",") {
			return cols
		}
	}
}

func readInput(source []types.Column, t *testing.T, input []recordedRecord) ([]sourceRow, error) {
	key, err := format.New(context.Background(), format.Spec{Format: "KAFKA", IsKey: true, Columns: source[:1], Topic: "fw_in"}, nil)
	if err != nil {
		return nil, err
	}
	value, err := format.New(context.Background(), format.Spec{Format: "JSON", Columns: source[1:], Topic: "fw_in"}, nil)
	if err != nil {
		return nil, err
	}
	var rows []sourceRow
	for _, r := range input {
		k, err := key.Deserialize(fromHex(t, r.KeyHex))
		if err != nil {
			return nil, err
		}
		v, err := value.Deserialize(fromHex(t, r.ValueHex))
		if err != nil {
			return nil, err
		}
		row := sourceRow{key: k[0]}
		if v != nil {
			row.values = map[string]types.Value{}
			for i, c := range source[1:] {
				row.values[c.Name] = v[i]
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func parseCreateAs(t *testing.T, statement string, source []types.Column) createAs {
	m := createAsText.FindStringSubmatch(statement)
	require.NotNil(t, m, statement)
	props := properties(m[2])
	column := func(name string) types.Column {
		name = strings.TrimSpace(name)
		if strings.HasPrefix(name, "`") {
			name = strings.Trim(name, "`")
		} else {
			name = strings.ToUpper(name)
		}
		i := slices.IndexFunc(source, func(c types.Column) bool { return c.Name == name })
		require.GreaterOrEqual(t, i, 0, name)
		return source[i]
	}
	keyNames := []string{"K"}
	if m[5] != "" {
		keyNames = nil
		for name := range strings.SplitSeq(m[5], ",") {
			keyNames = append(keyNames, column(name).Name)
		}
	}
	q := createAs{name: m[1]}
	q.key = format.Spec{Format: orDefault(props["FORMAT"], props["KEY_FORMAT"], "KAFKA"), IsKey: true, Topic: props["KAFKA_TOPIC"], Source: m[1]}
	q.value = format.Spec{
		Format: orDefault(props["FORMAT"], props["VALUE_FORMAT"], "JSON"), Topic: props["KAFKA_TOPIC"], Source: m[1],
		Delimiter: props["VALUE_DELIMITER"], FullName: props["VALUE_SCHEMA_FULL_NAME"],
		ProtobufNullable: props["VALUE_PROTOBUF_NULLABLE_REPRESENTATION"],
	}
	if text, ok := props["WRAP_SINGLE_VALUE"]; ok {
		wrap, err := strconv.ParseBool(text)
		require.NoError(t, err)
		q.value.Wrap = &wrap
	}
	for name := range strings.SplitSeq(m[3], ",") {
		if c := column(name); slices.Contains(keyNames, c.Name) {
			q.key.Columns = append(q.key.Columns, c)
		} else {
			q.value.Columns = append(q.value.Columns, c)
		}
	}
	if m[4] != "" {
		q.where = map[int64]bool{}
		for part := range strings.SplitSeq(m[4], " OR ") {
			n, err := strconv.ParseInt(strings.TrimPrefix(part, "K = "), 10, 64)
			require.NoError(t, err)
			q.where[n] = true
		}
	}
	return q
}

func orDefault(candidates ...string) string {
	for _, c := range candidates {
		if c != "" {
			return c
		}
	}
	return ""
}

func (q createAs) compare(t *testing.T, wc writeCase, rows []sourceRow) error {
	err := errors.Join(format.Validate(q.key), format.Validate(q.value))
	if wc.Error != "" {
		want := strings.TrimPrefix(wc.Error, "Could not determine output schema for query due to error: ")
		if err == nil || err.Error() != want {
			return fmt.Errorf("error %v, want %s", err, want)
		}
		return nil
	}
	if err != nil {
		return err
	}
	reg := &registry.Memory{}
	for _, s := range wc.Subjects {
		reg.Put("recorded", s.ID, registry.Schema{Type: s.SchemaType, Text: s.Schema})
	}
	if err := q.compareSubjects(reg, wc.Subjects); err != nil {
		return err
	}
	return q.compareRecords(t, reg, wc, rows)
}

func (q createAs) compareSubjects(reg *registry.Memory, subjects []recordedSubject) error {
	ctx := context.Background()
	for _, spec := range []format.Spec{q.key, q.value} {
		if err := format.Register(ctx, reg, spec, true); err != nil {
			return err
		}
	}
	for _, s := range subjects {
		got, err := reg.Latest(ctx, s.Subject)
		if err != nil {
			return err
		}
		if got.Text != s.Schema || got.ID != s.ID {
			return fmt.Errorf("registered\n%s\nwant\n%s", got.Text, s.Schema)
		}
	}
	if n := len(reg.Subjects()); n > len(subjects)+1 {
		return fmt.Errorf("%d subjects, want %d", n-1, len(subjects))
	}
	return nil
}

func (q createAs) compareRecords(t *testing.T, reg format.SchemaRegistry, wc writeCase, rows []sourceRow) error {
	ctx := context.Background()
	key, err := format.New(ctx, q.key, reg)
	if err != nil {
		return err
	}
	value, err := format.New(ctx, q.value, reg)
	if err != nil {
		return err
	}
	written := 0
	for _, row := range rows {
		if q.where != nil && (!q.where[row.key.Int()] || row.values == nil) {
			continue
		}
		k, err := key.Serialize(nil, row.pick(q.key.Columns, true))
		var v []byte
		if err == nil {
			v, err = value.Serialize(nil, row.pick(q.value.Columns, false))
		}
		if err != nil && len(wc.QueryErrors) > 0 {
			break // the query stops here, and so does the recording
		}
		if err != nil {
			return err
		}
		if written >= len(wc.Records) {
			return fmt.Errorf("record %d is one more than recorded", written)
		}
		want := wc.Records[written]
		if wk := fromHex(t, want.KeyHex); !sameBytes(k, wk) {
			return fmt.Errorf("record %d has key %q, want %q", written, k, wk)
		}
		if wv := fromHex(t, want.ValueHex); !sameBytes(v, wv) {
			return fmt.Errorf("record %d has value\n%q, want\n%q", written, v, wv)
		}
		written++
	}
	if written != len(wc.Records) {
		return fmt.Errorf("%d records, want %d", written, len(wc.Records))
	}
	return nil
}

// sameBytes tells null from empty.
func sameBytes(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func (r sourceRow) pick(cols []types.Column, isKey bool) []types.Value {
	if r.values == nil && !isKey {
		return nil
	}
	out := make([]types.Value, len(cols))
	for i, c := range cols {
		if c.Name == "K" {
			out[i] = r.key
		} else if r.values != nil {
			out[i] = r.values[c.Name]
		}
	}
	return out
}
