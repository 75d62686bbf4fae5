package format_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

type readLine struct {
	SchemaID    int `json:"schema_id"`
	SchemaType  string
	Schema      json.RawMessage
	Records     []recordedRecord
	SQL         string
	Status      int
	Answer      json.RawMessage
	RecordsOfFO []recordedRecord `json:"records_of_fo"`
}

// unrecorded are schemas that stood in the registry but not in the recording.
// They follow from the columns that were inferred and the bytes written.
var unrecorded = []struct {
	subject string
	id      int
	text    string
}{
	{"ra_k-key", 134, `"long"`},
	{"ra_k-value", 133999, `{"type":"record","name":"V","namespace":"x.y","fields":[{"name":"v","type":"int"}]}`},
	{"fo-value", 137, `{"type":"record","name":"Out","namespace":"x.y","fields":[{"name":"id","type":"string"},` +
		`{"name":"kind","type":{"type":"enum","name":"K","symbols":["ONE","TWO"]}},{"name":"n","type":["null","int"],"default":null},` +
		`{"name":"d","type":"int","default":7}]}`},
}

// strictRegistry refuses new versions of ra_k-value, as the real one did.
type strictRegistry struct{ registry.Memory }

func (r *strictRegistry) Register(ctx context.Context, subject string, s registry.Schema) (int, error) {
	if _, found, _ := r.Lookup(ctx, subject, s); !found && subject == "ra_k-value" {
		return 0, fmt.Errorf("registering: %w", registry.ErrIncompatible)
	}
	return r.Memory.Register(ctx, subject, s)
}

type recordedSource struct{ key, value format.Spec }

type readReplay struct {
	t       *testing.T
	reg     *strictRegistry
	records map[string][]recordedRecord
	sources map[string]recordedSource
	written []recordedRecord
	// refused is the CREATE that was refused last.
	refused readLine
	engine  *wholeEngine
}

func replayReadAvro(t *testing.T, path string, c *tally) {
	r := &readReplay{t: t, reg: &strictRegistry{}, records: map[string][]recordedRecord{}, sources: map[string]recordedSource{}}
	for _, u := range unrecorded {
		r.reg.Put(u.subject, u.id, registry.Schema{Text: u.text})
	}
	for i, l := range lines[readLine](t, path) {
		id := "read-avro:" + strconv.Itoa(i)
		switch {
		case l.Schema != nil:
			r.produce(l)
		case l.SQL != "":
			c.check(id, r.statement(l))
		case l.RecordsOfFO != nil:
			c.check(id, r.compareWritten(l.RecordsOfFO))
		}
	}
}

func (r *readReplay) produce(l readLine) {
	var text string
	if json.Unmarshal(l.Schema, &text) != nil || l.SchemaType == "" && !strings.HasPrefix(text, "{") {
		text = string(l.Schema)
	}
	topic := l.Records[0].Topic
	r.reg.Put(topic+"-value", l.SchemaID, registry.Schema{Type: l.SchemaType, Text: text})
	r.records[topic] = l.Records
}

var (
	readCreateText = regexp.MustCompile(`^CREATE (STREAM|TABLE) (\w+) (?:\((.*?)\) )?WITH \((.*)\);$`)
	selectText     = regexp.MustCompile(`^SELECT \* FROM (\w+);$`)
	describeText   = regexp.MustCompile(`^DESCRIBE (\w+);$`)
	insertText     = regexp.MustCompile(`^INSERT INTO (\w+) (?:\((.*?)\) )?VALUES \((.*)\);$`)
)

func (r *readReplay) statement(l readLine) error {
	if m := readCreateText.FindStringSubmatch(l.SQL); m != nil {
		return r.create(l, m)
	}
	if m := selectText.FindStringSubmatch(l.SQL); m != nil {
		return r.selectAll(l, m[1])
	}
	if m := describeText.FindStringSubmatch(l.SQL); m != nil {
		return r.describe(l, m[1])
	}
	if m := insertText.FindStringSubmatch(l.SQL); m != nil {
		return r.insert(l, m)
	}
	return errors.New("the statement needs the whole engine")
}

// message is the error text of an answer.
func message(l readLine) string {
	var text string
	if json.Unmarshal(l.Answer, &text) == nil {
		l.Answer = json.RawMessage(text)
	}
	var a struct{ Message string }
	_ = json.Unmarshal(l.Answer, &a)
	return a.Message
}

func sameMessage(got error, l readLine) error {
	if got == nil || got.Error() != message(l) {
		return fmt.Errorf("error %v, want %s", got, message(l))
	}
	return nil
}

func (r *readReplay) create(l readLine, m []string) error {
	props := properties(m[4])
	topic := props["KAFKA_TOPIC"]
	s := recordedSource{
		key: format.Spec{Format: orDefault(props["FORMAT"], props["KEY_FORMAT"], "KAFKA"), IsKey: true, Topic: topic, Source: m[2]},
		value: format.Spec{
			Format: orDefault(props["FORMAT"], props["VALUE_FORMAT"]), Topic: topic, Source: m[2], FullName: props["VALUE_SCHEMA_FULL_NAME"],
		},
	}
	if text := props["VALUE_SCHEMA_ID"]; text != "" {
		id, err := strconv.Atoi(text)
		require.NoError(r.t, err)
		s.value.SchemaID = &id
	}
	if text := props["WRAP_SINGLE_VALUE"]; text != "" {
		wrap := text == "true"
		s.value.Wrap = &wrap
	}
	err := r.columns(&s, m[3])
	if l.Status != 200 {
		r.refused = l
		return sameMessage(err, l)
	}
	if err != nil {
		return err
	}
	r.sources[m[2]] = s
	var answer []struct{ StatementText string }
	if err := json.Unmarshal(l.Answer, &answer); err != nil {
		return err
	}
	return s.compareText(r.t, answer[0].StatementText)
}

// columns takes the declared columns and infers the others.
func (r *readReplay) columns(s *recordedSource, declared string) error {
	p := &typeParser{t: r.t, rest: declared}
	for declared != "" {
		name := p.name()
		c := types.Column{Name: name, Type: p.parse()}
		if p.accept("PRIMARY KEY") || p.accept("KEY") {
			s.key.Columns = append(s.key.Columns, c)
		} else {
			s.value.Columns = append(s.value.Columns, c)
		}
		if !p.accept(",") {
			break
		}
	}
	for _, spec := range []*format.Spec{&s.key, &s.value} {
		if len(spec.Columns) > 0 || !format.SupportsInference(spec.Format) {
			continue
		}
		inferred, err := format.Infer(context.Background(), r.reg, *spec)
		if err != nil {
			return err
		}
		spec.Columns, spec.FullName = inferred.Columns, inferred.FullName
	}
	return nil
}

// compareText compares the columns with those of the statement that the server
// made, and the name that it added.
func (s recordedSource) compareText(t *testing.T, text string) error {
	m := regexp.MustCompile(`^CREATE \w+ \w+ \((.*?)\) WITH \((.*)\);$`).FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("unexpected statement %s", text)
	}
	var want recordedSource
	if err := (&readReplay{t: t}).columns(&want, m[1]); err != nil {
		return err
	}
	got := fmt.Sprint(shown(s.key.Columns), shown(s.value.Columns))
	if wanted := fmt.Sprint(shown(want.key.Columns), shown(want.value.Columns)); got != wanted {
		return fmt.Errorf("columns %s, want %s", got, wanted)
	}
	if name := properties(m[2])["VALUE_SCHEMA_FULL_NAME"]; name != s.value.FullName {
		return fmt.Errorf("full name %q, want %q", s.value.FullName, name)
	}
	return nil
}

func shown(cols []types.Column) string {
	schema := types.Schema{Value: cols}
	return schema.String()
}

func (r *readReplay) describe(l readLine, name string) error {
	s, ok := r.sources[name]
	if !ok || l.Status != 200 {
		return r.unknownSource(l)
	}
	var answer []struct {
		SourceDescription struct {
			Fields []struct {
				Name   string
				Schema describedType
			}
		}
	}
	if err := json.Unmarshal(l.Answer, &answer); err != nil {
		return err
	}
	var want []types.Column
	for _, f := range answer[0].SourceDescription.Fields {
		want = append(want, types.Column{Name: f.Name, Type: f.Schema.sql()})
	}
	if got := shown(append(append([]types.Column{}, s.key.Columns...), s.value.Columns...)); got != shown(want) {
		return fmt.Errorf("columns %s, want %s", got, shown(want))
	}
	return nil
}

type describedType struct {
	Type   string
	Fields []struct {
		Name   string
		Schema describedType
	}
	MemberSchema *describedType
	Parameters   struct{ Precision, Scale int }
}

func (d describedType) sql() *types.Type {
	switch d.Type {
	case "STRUCT":
		var fields []types.Field
		for _, f := range d.Fields {
			fields = append(fields, types.Field{Name: f.Name, Type: f.Schema.sql()})
		}
		return types.StructOf(fields...)
	case "ARRAY":
		return types.ArrayOf(d.MemberSchema.sql())
	case "MAP":
		return types.MapOf(types.String, d.MemberSchema.sql())
	case "DECIMAL":
		return types.DecimalOf(d.Parameters.Precision, d.Parameters.Scale)
	default:
		return (&typeParser{rest: d.Type}).parse()
	}
}

func (r *readReplay) selectAll(l readLine, name string) error {
	s, ok := r.sources[name]
	if !ok || l.Status != 200 {
		return r.unknownSource(l)
	}
	var answer []struct {
		Header *struct{ Schema string }
		Row    *struct{ Columns []json.RawMessage }
	}
	var text string
	if err := json.Unmarshal(l.Answer, &text); err == nil {
		l.Answer = json.RawMessage(text)
	}
	if err := json.Unmarshal(l.Answer, &answer); err != nil {
		return err
	}
	var want []string
	for _, a := range answer {
		if a.Row != nil {
			cols, _ := json.Marshal(a.Row.Columns)
			want = append(want, string(cols))
		}
	}
	got, err := r.rows(s)
	if err != nil {
		return err
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d rows %v, want %d %v", len(got), got, len(want), want)
	}
	for i := range got {
		if !sameJSON(got[i], want[i]) {
			return fmt.Errorf("row %d is %s, want %s", i, got[i], want[i])
		}
	}
	return nil
}

// rows reads the records of a source that can be read, without tombstones.
func (r *readReplay) rows(s recordedSource) ([]string, error) {
	ctx := context.Background()
	key, err := format.New(ctx, s.key, r.reg)
	if err != nil {
		return nil, err
	}
	value, err := format.New(ctx, s.value, r.reg)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, rec := range r.records[s.value.Topic] {
		k, err := key.Deserialize(fromHex(r.t, rec.KeyHex))
		if err != nil {
			continue
		}
		v, err := value.Deserialize(fromHex(r.t, rec.ValueHex))
		if err != nil || v == nil {
			continue
		}
		var cells []string
		for i, c := range s.key.Columns {
			cells = append(cells, display(c.Type, k[i], true))
		}
		for i, c := range s.value.Columns {
			cells = append(cells, display(c.Type, v[i], true))
		}
		out = append(out, "["+strings.Join(cells, ",")+"]")
	}
	return out, nil
}

func (r *readReplay) insert(l readLine, m []string) error {
	s := r.sources[m[1]]
	all := append(append([]types.Column{}, s.key.Columns...), s.value.Columns...)
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	if m[2] != "" {
		names = nil
		for name := range strings.SplitSeq(m[2], ",") {
			names = append(names, strings.Trim(strings.TrimSpace(name), "`"))
		}
	}
	given := map[string]types.Value{}
	i := 0
	for text := range strings.SplitSeq(m[3], ",") {
		text = strings.TrimSpace(text)
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			given[names[i]] = types.IntValue(n)
		} else {
			given[names[i]] = types.StringValue(strings.Trim(text, "'"))
		}
		i++
	}
	key, err := r.serialize(s.key, given)
	if err != nil {
		return err
	}
	value, err := r.serialize(s.value, given)
	if l.Status != 200 {
		if err != nil {
			err = fmt.Errorf("Failed to insert values into '%s'. Could not serialize value%w", m[1], err)
		}
		return sameMessage(err, l)
	}
	r.written = append(r.written, recordedRecord{KeyHex: &key, ValueHex: &value})
	return err
}

func (r *readReplay) serialize(spec format.Spec, given map[string]types.Value) (string, error) {
	s, err := format.New(context.Background(), spec, r.reg)
	if err != nil {
		return "", err
	}
	values := make([]types.Value, len(spec.Columns))
	for i, c := range spec.Columns {
		values[i] = given[c.Name]
	}
	b, err := s.Serialize(nil, values)
	return fmt.Sprintf("%x", b), err
}

func (r *readReplay) compareWritten(want []recordedRecord) error {
	if len(r.written) != len(want) {
		return fmt.Errorf("%d records written, want %d", len(r.written), len(want))
	}
	for i, w := range want {
		if got := r.written[i]; *got.KeyHex != *w.KeyHex || *got.ValueHex != *w.ValueHex {
			return fmt.Errorf("record %d: %s %s, want %s %s", i, *got.KeyHex, *got.ValueHex, *w.KeyHex, *w.ValueHex)
		}
	}
	return nil
}
