//go:build peers

package avroschema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/registry/avroschema"
	"github.com/orderflow/orderflow/internal/peers"
)

// differentialPairs is how many pairs of schemas are compared.
const differentialPairs = 2000

// apacheAvro is the release that Confluent Schema Registry 7.9 uses. Later ones tell
// other paths for the branches of a writer's union.
const apacheAvro = "org.apache.avro:avro:1.11.4"

// Apache Avro and this package agree on whether data written with one schema can be
// read with another, on all reasons why not, and on the schemas' texts.
func TestPeerCompatibilityIsApacheAvros(t *testing.T) {
	type pair struct {
		Reader string `json:"reader"`
		Writer string `json:"writer"`
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	var pairs []pair
	var in bytes.Buffer
	lines := json.NewEncoder(&in)
	for range differentialPairs {
		writer := g.schema(3)
		reader := g.changed(writer)
		if g.IntN(20) == 0 {
			reader = g.schema(2)
		}
		p := pair{text(t, reader), text(t, writer)}
		pairs = append(pairs, p)
		require.NoError(t, lines.Encode(p))
	}
	classes := peers.Classpath(peers.Jars(t, apacheAvro, "org.slf4j:slf4j-simple:1.7.36"))
	cmd := exec.CommandContext(t.Context(), "java", "-cp", classes, "testdata/Compatibility.java")
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = &in, &said
	out, err := cmd.Output()
	require.NoError(t, err, "%s", said.Bytes())
	answers := json.NewDecoder(bytes.NewReader(out))
	compatible, incompatible, refused := 0, 0, 0
	for _, p := range pairs {
		var theirs struct {
			Reader, Writer, Error string
			Found                 []struct{ Kind, Path, Info string }
		}
		require.NoError(t, answers.Decode(&theirs))
		reader, err := avroschema.Parse(p.Reader)
		var writer *avroschema.Schema
		if err == nil {
			writer, err = avroschema.Parse(p.Writer)
		}
		if theirs.Error != "" {
			refused++
			assert.ErrorContains(t, err, theirs.Error, "%s\n%s", p.Reader, p.Writer)
			continue
		}
		if !assert.NoError(t, err, "%s\n%s", p.Reader, p.Writer) {
			continue
		}
		assert.Equal(t, theirs.Reader, reader.Text())
		assert.Equal(t, theirs.Writer, writer.Text())
		var want, got []string
		for _, f := range theirs.Found {
			want = append(want, f.Kind+" "+f.Path+" "+f.Info)
		}
		for _, f := range avroschema.Incompatibilities(reader, writer) {
			got = append(got, fmt.Sprintf("%s %s %s", f.Kind, f.Path, f.Info))
		}
		assert.Equal(t, want, got, "reader %s\nwriter %s", p.Reader, p.Writer)
		if len(want) == 0 {
			compatible++
		} else {
			incompatible++
		}
	}
	t.Logf("%d pairs: %d compatible, %d not, %d with a schema that is refused", len(pairs), compatible, incompatible, refused)
	assert.Greater(t, compatible, differentialPairs/10, "the pairs are worth comparing")
	assert.Greater(t, incompatible, differentialPairs/10, "the pairs are worth comparing")
}

func text(t *testing.T, schema any) string {
	t.Helper()
	raw, err := json.Marshal(schema)
	require.NoError(t, err)
	return string(raw)
}

// generator makes schemas as they stand in JSON, and changes them.
type generator struct {
	*rand.Rand
	names int
}

type object = map[string]any

var primitives = []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

func (g *generator) schema(depth int) any {
	kind := g.IntN(12)
	if depth == 0 {
		kind = g.IntN(7)
	}
	switch {
	case kind < 4:
		return pick(g, primitives...)
	case kind < 5:
		return object{"type": pick(g, "int", "long"), "logicalType": "date"}
	case kind < 6:
		return g.named(object{"type": "enum", "symbols": g.symbols()}, true)
	case kind < 7:
		return g.named(object{"type": "fixed", "size": 1 + g.IntN(3)}, true)
	case kind < 8:
		return object{"type": "array", "items": g.schema(depth - 1)}
	case kind < 9:
		return object{"type": "map", "values": g.schema(depth - 1)}
	case kind < 10:
		return g.union(depth)
	default:
		return g.record(depth)
	}
}

// named gives a schema a name that no other one of the same text has.
func (g *generator) named(schema object, mayDefault bool) object {
	g.names++
	schema["name"] = pick(g, "A", "B", "C") + fmt.Sprint(g.names)
	if g.IntN(3) == 0 {
		schema["namespace"] = pick(g, "shop", "shop.de")
	}
	if symbols, ok := schema["symbols"].([]string); ok && mayDefault && g.IntN(3) == 0 {
		schema["default"] = symbols[0]
	}
	return schema
}

func (g *generator) symbols() []string {
	all := []string{"NEW", "OPEN", "PAID", "SHIPPED"}
	g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+g.IntN(len(all))]
}

func (g *generator) union(depth int) any {
	kinds := slices.Clone(primitives)
	g.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	var branches []any
	for _, k := range kinds[:1+g.IntN(3)] {
		branches = append(branches, k)
	}
	if g.IntN(2) == 0 {
		branches = append(branches, g.record(depth-1))
	}
	if g.IntN(3) == 0 {
		branches = append(branches, object{"type": "array", "items": g.schema(depth - 1)})
	}
	return branches
}

func (g *generator) record(depth int) any {
	r := g.named(object{"type": "record"}, false)
	fields := []any{}
	for _, name := range []string{"id", "state", "price", "note"}[:g.IntN(5)] {
		fields = append(fields, g.field(name, max(depth-1, 0)))
	}
	if g.IntN(4) == 0 {
		full := r["name"].(string)
		if space, ok := r["namespace"].(string); ok {
			full = space + "." + full
		}
		fields = append(fields, object{"name": "next", "type": []any{"null", full}})
	}
	r["fields"] = fields
	return r
}

func (g *generator) field(name string, depth int) object {
	f := object{"name": name, "type": g.schema(depth)}
	switch f["type"] {
	case "int", "long":
		if g.IntN(2) == 0 {
			f["default"] = g.IntN(10)
		}
	case "string", "bytes":
		if g.IntN(2) == 0 {
			f["default"] = "x"
		}
	case "boolean":
		f["default"] = true
	}
	return f
}

// changed makes a reader's schema of a writer's, with a few changes.
func (g *generator) changed(schema any) any {
	raw, err := json.Marshal(schema)
	if err != nil {
		panic(err)
	}
	var clone any
	if err := json.Unmarshal(raw, &clone); err != nil {
		panic(err)
	}
	return g.change(clone, 3)
}

// change leaves one in the given number of places as it is not.
func (g *generator) change(schema any, often int) any {
	here := g.IntN(often*2) == 0
	switch s := schema.(type) {
	case string:
		if here && slices.Contains(primitives, s) {
			if g.IntN(2) == 0 {
				return pick(g, primitives...)
			}
			return []any{"null", pick(g, "int", "long", "double", "string", "bytes")}
		}
		return s
	case []any:
		for i := range s {
			if _, ok := s[i].(string); !ok {
				s[i] = g.change(s[i], often)
			}
		}
		if here && len(s) > 1 {
			return s[1:]
		}
		return s
	case object:
		return g.changeObject(s, here, often)
	default:
		return s
	}
}

func (g *generator) changeObject(s object, here bool, often int) any {
	switch s["type"] {
	case "enum":
		if here {
			s["symbols"] = g.symbols()
			delete(s, "default")
			if g.IntN(2) == 0 {
				s["default"] = s["symbols"].([]string)[0]
			}
		}
	case "fixed":
		if here {
			s["size"] = 1 + g.IntN(3)
		}
	case "array":
		s["items"] = g.change(s["items"], often)
		if here {
			return object{"type": "map", "values": s["items"]}
		}
	case "map":
		s["values"] = g.change(s["values"], often)
	case "record":
		g.changeRecord(s, often)
	}
	if _, named := s["name"]; named && g.IntN(12) == 0 {
		old := s["name"].(string)
		if !strings.Contains(fmt.Sprint(s["fields"]), old) { // it doesn't refer to itself
			s["name"] = "Other" + old
			if g.IntN(2) == 0 {
				s["aliases"] = []any{old}
			}
		}
	}
	if here && g.IntN(4) == 0 {
		return []any{"null", s}
	}
	return s
}

func (g *generator) changeRecord(s object, often int) {
	var fields []any
	for _, f := range s["fields"].([]any) {
		f := f.(object)
		if g.IntN(8) == 0 && f["name"] != "next" {
			continue
		}
		if f["name"] != "next" {
			before := fmt.Sprint(f["type"])
			f["type"] = g.change(f["type"], often)
			if fmt.Sprint(f["type"]) != before {
				delete(f, "default")
			}
			if g.IntN(10) == 0 {
				f["aliases"] = []any{f["name"]}
				f["name"] = f["name"].(string) + "New"
			}
		}
		fields = append(fields, f)
	}
	if g.IntN(3) == 0 {
		fields = append(fields, g.field("more", 0))
	}
	if fields == nil {
		fields = []any{}
	}
	s["fields"] = fields
}
