package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/twmb/avro"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	formatavro "github.com/orderflow/orderflow/internal/embedded/ksqldb/format/avro"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// formatGuess finds out which formats a topic's keys or values may have: those
// that fit all data seen so far.
type formatGuess struct {
	registry format.SchemaRegistry
	possible []guessed
	isKey    bool
	told     string
	any      bool // a key or value that is not null was seen
}

// guessed is a format that data may have.
type guessed struct {
	name string
	// text shows data of the format; the second result is false when the data
	// does not have it.
	text func(ctx context.Context, data []byte) (string, bool)
}

func newFormatGuess(reg format.SchemaRegistry, isKey bool) *formatGuess {
	g := &formatGuess{registry: reg, isKey: isKey}
	plain := []guessed{
		{"AVRO", g.avro},
		{"JSON", jsonText},
		{"KAFKA_INT", kafkaInt},
		{"KAFKA_BIGINT", kafkaBigint},
		{"KAFKA_DOUBLE", kafkaDouble},
		{"KAFKA_STRING", kafkaString},
	}
	if isKey {
		for _, w := range []struct {
			name string
			kind types.WindowKind
		}{{"SESSION", types.SessionWindow}, {"HOPPING", types.TimeWindow}, {"TUMBLING", types.TimeWindow}} {
			for _, inner := range plain[1:] {
				g.possible = append(g.possible, windowed(w.name, w.kind, inner))
			}
		}
	}
	g.possible = append(g.possible, plain...)
	return g
}

// narrow drops the formats that do not fit. It reports whether what is possible
// differs from what was told before.
func (g *formatGuess) narrow(ctx context.Context, data [][]byte) bool {
	for _, d := range data {
		if d == nil {
			continue
		}
		g.any = true
		g.possible = slices.DeleteFunc(g.possible, func(f guessed) bool {
			_, ok := f.text(ctx, d)
			return !ok
		})
	}
	now := g.String()
	changed := now != g.told
	g.told = now
	return changed
}

// String lists what is possible as PRINT shows it.
func (g *formatGuess) String() string {
	if !g.any {
		return "KAFKA_STRING"
	}
	if len(g.possible) == 0 {
		return " does not match any supported format. It may be a STRING with encoding other than UTF8, or some other format."
	}
	names := make([]string, 0, len(g.possible))
	for _, f := range g.possible {
		names = append(names, f.name)
	}
	return strings.Join(names, " or ")
}

// text shows data in the first format that is possible.
func (g *formatGuess) text(ctx context.Context, data []byte) string {
	if data == nil {
		return "<null>"
	}
	for _, f := range g.possible {
		if text, ok := f.text(ctx, data); ok {
			return text
		}
	}
	var b strings.Builder
	for _, c := range data {
		fmt.Fprintf(&b, "\\x%02X", c)
	}
	return b.String()
}

func jsonText(_ context.Context, data []byte) (string, bool) {
	if !json.Valid(data) {
		return "", false
	}
	return strings.TrimSpace(string(data)), true
}

func kafkaString(_ context.Context, data []byte) (string, bool) {
	return string(data), utf8.Valid(data)
}

func kafkaInt(_ context.Context, data []byte) (string, bool) {
	if len(data) != 4 {
		return "", false
	}
	return strconv.Itoa(int(int32(binary.BigEndian.Uint32(data)))), true
}

func kafkaBigint(_ context.Context, data []byte) (string, bool) {
	if len(data) != 8 {
		return "", false
	}
	return strconv.FormatInt(int64(binary.BigEndian.Uint64(data)), 10), true
}

func kafkaDouble(_ context.Context, data []byte) (string, bool) {
	if len(data) != 8 {
		return "", false
	}
	return string(types.AppendDouble(nil, math.Float64frombits(binary.BigEndian.Uint64(data)))), true
}

// earliestWindow is a lower bound for what may be taken for the start of a
// window: 2000-01-01. Other data would too easily pass for windows.
const earliestWindow = 946684800000

// latestWindow is the year 2286, an upper bound for the same purpose.
const latestWindow = 9999999999999

func windowed(name string, kind types.WindowKind, inner guessed) guessed {
	return guessed{name + "(" + inner.name + ")", func(ctx context.Context, data []byte) (string, bool) {
		rest, w, err := format.SplitWindow(data, kind, 0)
		if err != nil || len(rest) == 0 || w.Start < earliestWindow || w.Start > latestWindow {
			return "", false
		}
		end := "-"
		if kind == types.SessionWindow {
			if w.End < w.Start || w.End > latestWindow {
				return "", false
			}
			end = strconv.FormatInt(w.End, 10)
		}
		text, ok := inner.text(ctx, rest)
		return fmt.Sprintf("[%s@%d/%s]", text, w.Start, end), ok
	}}
}

// avro shows data that names an Avro schema of the registry, as Avro's own
// toString does.
func (g *formatGuess) avro(ctx context.Context, data []byte) (string, bool) {
	if g.registry == nil || len(data) < 5 || data[0] != 0 {
		return "", false
	}
	found, err := g.registry.SchemaByID(ctx, int(binary.BigEndian.Uint32(data[1:5])))
	if err != nil || found.Type != "" && found.Type != registry.TypeAvro {
		return "", false
	}
	text, err := formatavro.SelfContained(ctx, g.registry, found)
	if err != nil {
		return "", false
	}
	schema, err := avro.Parse(text)
	if err != nil {
		return "", false
	}
	var value any
	rest, err := schema.Decode(data[5:], &value)
	if err != nil || len(rest) > 0 {
		return "", false
	}
	shown, err := schema.EncodeJSON(value)
	if err != nil {
		return "", false
	}
	return spaced(shown), true
}

// spaced puts blanks behind the commas and colons of JSON text.
func spaced(text []byte) string {
	var b strings.Builder
	inString, escaped := false, false
	for _, c := range text {
		b.WriteByte(c)
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case !inString && (c == ',' || c == ':'):
			b.WriteByte(' ')
		}
	}
	return b.String()
}
