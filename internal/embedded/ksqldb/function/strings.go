package function

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Texts are counted in UTF-16 units, as Java counts them: a character beyond
// the basic plane is two.

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func units(s string) []uint16 { return utf16.Encode([]rune(s)) }

func fromUnits(u []uint16) string { return string(utf16.Decode(u)) }

func unitLen(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// cut is the part of a text between two positions in UTF-16 units.
func cut(s string, from, to int) string {
	if isASCII(s) {
		return s[from:to]
	}
	return fromUnits(units(s)[from:to])
}

func toUpper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func toLower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

func text(s string) (types.Value, error) { return types.StringValue(s), nil }

// onText declares the code of a function from a text to a text.
func onText(f func(string) string) Impl {
	return f1(func(v types.Value) (types.Value, error) { return text(f(v.Str())) })
}

func stringFunctions() []scalarDef {
	return []scalarDef{
		{"lcase", CategoryString, "A text in lower case.", []overloadDef{{params: "VARCHAR input", result: "VARCHAR", impl: onText(toLower)}}},
		{"ucase", CategoryString, "A text in upper case.", []overloadDef{{params: "VARCHAR input", result: "VARCHAR", impl: onText(toUpper)}}},
		{"trim", CategoryString, "A text without blanks at both ends.", []overloadDef{{params: "VARCHAR input", result: "VARCHAR", impl: onText(types.TrimBlanks)}}},
		{"initcap", CategoryString, "A text with the first letter of each word in upper case, the others in lower case.", []overloadDef{
			{params: "VARCHAR str", result: "VARCHAR", impl: onText(initCap)},
		}},
		{"len", CategoryString, "The length of a text in characters (UTF-16 units), or of bytes.", []overloadDef{
			{params: "VARCHAR input", result: "INT", impl: f1(func(v types.Value) (types.Value, error) { return types.IntValue(int64(unitLen(v.Str()))), nil })},
			{params: "BYTES input", result: "INT", impl: f1(func(v types.Value) (types.Value, error) { return types.IntValue(int64(len(v.Bytes()))), nil })},
		}},
		{"md5", CategoryString, "The MD5 digest of a text, in hexadecimal.", []overloadDef{{params: "VARCHAR s", result: "VARCHAR", impl: onText(func(s string) string {
			sum := md5.Sum([]byte(s))
			return hex.EncodeToString(sum[:])
		})}}},
		{"concat", CategoryString, "Texts, or bytes, joined; NULLs are left out.", []overloadDef{
			{params: "VARCHAR... inputs", result: "VARCHAR", nulls: true, impl: Impl{FN: concat}},
			{params: "BYTES... inputs", result: "BYTES", nulls: true, impl: Impl{FN: concatBytes}},
		}},
		{"concat_ws", CategoryString, "Texts, or bytes, joined by the first argument; NULLs are left out.", []overloadDef{
			{params: "VARCHAR... inputs", result: "VARCHAR", nulls: true, impl: Impl{FN: concatWithSeparator}},
			{params: "BYTES... inputs", result: "BYTES", nulls: true, impl: Impl{FN: concatBytesWithSeparator}},
		}},
		substringFunction(),
		padFunction("LPad", "A text, or bytes, filled up on the left, or cut, to a length.", true),
		padFunction("RPad", "A text, or bytes, filled up on the right, or cut, to a length.", false),
		{"replace", CategoryString, "A text in which each occurrence of another is replaced.", []overloadDef{
			{params: "VARCHAR str, VARCHAR oldStr, VARCHAR newStr", result: "VARCHAR", impl: f3(func(s, from, to types.Value) (types.Value, error) {
				if from.Str() == "" {
					return text(replaceEmpty(s.Str(), to.Str()))
				}
				return text(strings.ReplaceAll(s.Str(), from.Str(), to.Str()))
			})},
		}},
		instrFunction(),
		{"split", CategoryString, "The parts of a text, or of bytes, between delimiters.", []overloadDef{
			{params: "VARCHAR string, VARCHAR delimiter", result: "ARRAY<VARCHAR>", impl: f2(func(s, d types.Value) (types.Value, error) {
				return stringArray(strings.Split(s.Str(), d.Str())), nil
			})},
			{params: "BYTES bytes, BYTES delimiter", result: "ARRAY<BYTES>", impl: f2(splitBytes)},
		}},
		{"split_to_map", CategoryString, "The key-value pairs of a text as a map.", []overloadDef{
			{params: "VARCHAR input, VARCHAR entryDelimiter, VARCHAR kvDelimiter", result: "MAP<VARCHAR, VARCHAR>", impl: f3(splitToMap)},
		}},
		{"Chr", CategoryString, "The character of a Unicode number, or of its \\u notation.", []overloadDef{
			{params: "INT decimalCode", result: "VARCHAR", impl: f1(func(v types.Value) (types.Value, error) {
				if v.Int() < 0 || v.Int() > unicode.MaxRune {
					return types.Null, nil
				}
				return text(string(rune(v.Int())))
			})},
			{params: "VARCHAR utf16Code", result: "VARCHAR", impl: f1(func(v types.Value) (types.Value, error) { return unescape(v.Str()) })},
		}},
		{"elt", CategoryString, "The n-th of the texts, counted from 1.", []overloadDef{
			{params: "INT n, VARCHAR... args", result: "VARCHAR", nulls: true, impl: Impl{FN: func(args []types.Value) (types.Value, error) {
				if n := args[0].Int(); !args[0].IsNull() && n >= 1 && n < int64(len(args)) {
					return args[n], nil
				}
				return types.Null, nil
			}}},
		}},
		{"field", CategoryString, "The position, from 1, of a text among the others; 0 when it is not there.", []overloadDef{
			{params: "VARCHAR str, VARCHAR... args", result: "INT", nulls: true, impl: Impl{FN: func(args []types.Value) (types.Value, error) {
				if args[0].IsNull() {
					return types.IntValue(0), nil
				}
				at := slices.IndexFunc(args[1:], func(v types.Value) bool { return !v.IsNull() && v.Str() == args[0].Str() })
				return types.IntValue(int64(at + 1)), nil
			}}},
		}},
		{"UUID", CategoryString, "A new random UUID, or the UUID of 16 bytes.", []overloadDef{
			{params: "", result: "VARCHAR", volatile: true, impl: Impl{F0: func() (types.Value, error) {
				var b [16]byte
				_, _ = rand.Read(b[:])
				b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
				return text(formatUUID(b[:]))
			}}},
			{params: "BYTES bytes", result: "VARCHAR", impl: f1(func(v types.Value) (types.Value, error) {
				if len(v.Bytes()) != 16 {
					return types.Null, nil
				}
				return text(formatUUID(v.Bytes()))
			})},
		}},
	}
}

func formatUUID(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func stringArray(list []string) types.Value {
	out := make([]types.Value, len(list))
	for i, s := range list {
		out[i] = types.StringValue(s)
	}
	return types.ArrayValue(out)
}

// initCap works on the words after the leading blanks, which are dropped.
func initCap(s string) string {
	s = toLower(s)
	blank := func(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }
	s = strings.TrimLeftFunc(s, blank)
	var b strings.Builder
	start := true
	for _, r := range s {
		if start && !blank(r) {
			b.WriteString(toUpper(string(r)))
		} else {
			b.WriteRune(r)
		}
		start = blank(r)
	}
	return b.String()
}

func concat(args []types.Value) (types.Value, error) {
	var b strings.Builder
	for _, a := range args {
		b.WriteString(a.Str())
	}
	return text(b.String())
}

func concatBytes(args []types.Value) (types.Value, error) {
	var out []byte
	for _, a := range args {
		out = append(out, a.Bytes()...)
	}
	return types.BytesValue(out), nil
}

var errConcatWS = errors.New("Function Concat_WS expects at least two input arguments.")

func concatWithSeparator(args []types.Value) (types.Value, error) {
	if len(args) < 2 {
		return types.Null, errConcatWS
	}
	if args[0].IsNull() {
		return types.Null, nil
	}
	var parts []string
	for _, a := range args[1:] {
		if !a.IsNull() {
			parts = append(parts, a.Str())
		}
	}
	return text(strings.Join(parts, args[0].Str()))
}

func concatBytesWithSeparator(args []types.Value) (types.Value, error) {
	if len(args) < 2 {
		return types.Null, errConcatWS
	}
	if args[0].IsNull() {
		return types.Null, nil
	}
	var out []byte
	first := true
	for _, a := range args[1:] {
		if a.IsNull() {
			continue
		}
		if !first {
			out = append(out, args[0].Bytes()...)
		}
		first = false
		out = append(out, a.Bytes()...)
	}
	return types.BytesValue(out), nil
}

func substringFunction() scalarDef {
	start := func(length int, pos int64) int {
		if pos < 0 {
			return int(max(int64(length)+pos, 0))
		}
		return int(max(min(pos-1, int64(length)), 0))
	}
	end := func(length, start int, count int64) int {
		return max(int(min(int64(start)+count, int64(length))), start)
	}
	return scalarDef{"substring", CategoryString, "The part of a text, or of bytes, from a position, counted from 1 or backwards from -1.", []overloadDef{
		{params: "VARCHAR str, INT pos, INT length", result: "VARCHAR", impl: f3(func(s, pos, count types.Value) (types.Value, error) {
			n := unitLen(s.Str())
			from := start(n, pos.Int())
			return text(cut(s.Str(), from, end(n, from, count.Int())))
		})},
		{params: "BYTES bytes, INT pos, INT length", result: "BYTES", impl: f3(func(b, pos, count types.Value) (types.Value, error) {
			n := len(b.Bytes())
			from := start(n, pos.Int())
			return types.BytesValue(b.Bytes()[from:end(n, from, count.Int())]), nil
		})},
		{params: "BYTES bytes, INT pos", result: "BYTES", impl: f2(func(b, pos types.Value) (types.Value, error) {
			return types.BytesValue(b.Bytes()[start(len(b.Bytes()), pos.Int()):]), nil
		})},
		{params: "VARCHAR str, INT pos", result: "VARCHAR", impl: f2(func(s, pos types.Value) (types.Value, error) {
			n := unitLen(s.Str())
			return text(cut(s.Str(), start(n, pos.Int()), n))
		})},
	}}
}

// maxPadded bounds the length that LPAD and RPAD fill up to.
const maxPadded = 64 << 20

func padFunction(name, description string, left bool) scalarDef {
	usable := func(length types.Value, padding int) (bool, error) {
		if length.Int() > maxPadded {
			return false, fmt.Errorf("%s to %d: at most %d characters are filled up", upper(name), length.Int(), maxPadded)
		}
		return length.Int() >= 0 && padding > 0, nil
	}
	return scalarDef{name, CategoryString, description, []overloadDef{
		{params: "VARCHAR input, INT targetLen, VARCHAR padding", result: "VARCHAR", impl: f3(func(s, length, padding types.Value) (types.Value, error) {
			if ok, err := usable(length, len(padding.Str())); !ok {
				return types.Null, err
			}
			return text(fromUnits(pad(units(s.Str()), int(length.Int()), units(padding.Str()), left)))
		})},
		{params: "BYTES input, INT targetLen, BYTES padding", result: "BYTES", impl: f3(func(b, length, padding types.Value) (types.Value, error) {
			if ok, err := usable(length, len(padding.Bytes())); !ok {
				return types.Null, err
			}
			return types.BytesValue(pad(b.Bytes(), int(length.Int()), padding.Bytes(), left)), nil
		})},
	}}
}

func pad[E any](in []E, length int, padding []E, left bool) []E {
	if len(in) >= length {
		return in[:length]
	}
	fill := make([]E, length-len(in))
	for i := range fill {
		fill[i] = padding[i%len(padding)]
	}
	if left {
		return append(fill, in...)
	}
	return append(slices.Clip(in), fill...)
}

// replaceEmpty puts a text before and after each character.
func replaceEmpty(s, to string) string {
	var b strings.Builder
	b.WriteString(to)
	for _, r := range s {
		b.WriteRune(r)
		b.WriteString(to)
	}
	return b.String()
}

func instrFunction() scalarDef {
	find := func(s, sub types.Value, position, occurrence int64) (types.Value, error) {
		if s.IsNull() || sub.IsNull() {
			return types.IntValue(0), nil
		}
		return types.IntValue(int64(instr(units(s.Str()), units(sub.Str()), int(position), int(occurrence)))), nil
	}
	return scalarDef{"instr", CategoryString, "The position, from 1, of a text in another; 0 when it is not there.", []overloadDef{
		{params: "VARCHAR str, VARCHAR substring", result: "INT", nulls: true, impl: f2(func(s, sub types.Value) (types.Value, error) {
			return find(s, sub, 1, 1)
		})},
		{params: "VARCHAR str, VARCHAR substring, INT position", result: "INT", nulls: true, impl: f3(func(s, sub, position types.Value) (types.Value, error) {
			if position.IsNull() {
				return types.Null, nil
			}
			return find(s, sub, position.Int(), 1)
		})},
		{params: "VARCHAR str, VARCHAR substring, INT position, INT occurrence", result: "INT", nulls: true, impl: Impl{FN: func(args []types.Value) (types.Value, error) {
			if args[2].IsNull() || args[3].IsNull() {
				return types.Null, nil
			}
			return find(args[0], args[1], args[2].Int(), args[3].Int())
		}}},
	}}
}

// instr finds the n-th occurrence from a position on; from a negative position
// it searches backwards.
func instr(s, sub []uint16, position, occurrence int) int {
	if max(position, -position) > len(s) || position == 0 || occurrence < 1 {
		return 0
	}
	backwards := position < 0
	if backwards {
		s, sub, position = slices.Clone(s), slices.Clone(sub), -position
		slices.Reverse(s)
		slices.Reverse(sub)
	}
	rest := s[position-1:]
	at := -1
	for i := 0; i+len(sub) <= len(rest); i++ {
		if !slices.Equal(rest[i:i+len(sub)], sub) {
			continue
		}
		if occurrence--; occurrence == 0 {
			at = i
			break
		}
	}
	switch {
	case at < 0:
		return 0
	case backwards:
		return len(s) - position - at - len(sub) + 2
	default:
		return at + position
	}
}

func splitBytes(b, delimiter types.Value) (types.Value, error) {
	in, d := string(b.Bytes()), string(delimiter.Bytes())
	if in == "" {
		return types.ArrayValue([]types.Value{types.BytesValue(nil)}), nil
	}
	var out []types.Value
	if d == "" {
		for i := range len(in) {
			out = append(out, types.BytesValue([]byte{in[i]}))
		}
		return types.ArrayValue(out), nil
	}
	for _, part := range strings.Split(in, d) {
		out = append(out, types.BytesValue([]byte(part)))
	}
	return types.ArrayValue(out), nil
}

func splitToMap(s, entry, kv types.Value) (types.Value, error) {
	if entry.Str() == "" || kv.Str() == "" || entry.Str() == kv.Str() {
		return types.Null, nil
	}
	b := types.NewMapBuilder(types.String, 0)
	for _, part := range strings.Split(s.Str(), entry.Str()) {
		fields := strings.Split(part, kv.Str())
		if len(fields) > 1 {
			b.Put(types.StringValue(fields[0]), types.StringValue(fields[1]))
		}
	}
	return b.Value(), nil
}

// unescape reads Java's notation of characters; a text that does not start with
// one is NULL.
func unescape(s string) (types.Value, error) {
	if len(s) < 6 || !strings.HasPrefix(s, `\u`) {
		return types.Null, nil
	}
	var out []uint16
	for s != "" {
		if s[0] != '\\' || len(s) == 1 {
			r, size := utf8.DecodeRuneInString(s)
			out = utf16.AppendRune(out, r)
			s = s[size:]
			continue
		}
		if s[1] != 'u' {
			escaped, ok := map[byte]uint16{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f'}[s[1]]
			if !ok {
				escaped = uint16(s[1])
			}
			out = append(out, escaped)
			s = s[2:]
			continue
		}
		digits := strings.TrimLeft(s[1:], "u")
		b, err := hex.DecodeString(digits[:min(4, len(digits))])
		if err != nil || len(b) != 2 {
			return types.Null, fmt.Errorf("Unable to parse unicode value: %s", s)
		}
		out = append(out, uint16(b[0])<<8|uint16(b[1]))
		s = digits[4:]
	}
	return text(fromUnits(out))
}
