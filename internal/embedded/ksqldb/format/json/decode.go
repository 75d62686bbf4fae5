package json

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"github.com/cockroachdb/apd/v3"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// coercion is a JSON value that doesn't fit its column. The rest of the text
// may still be fine.
type coercion struct{ message, path string }

func (e *coercion) Error() string { return e.message + ", path: " + e.path }

func isCoercion(err error) bool {
	var c *coercion
	return errors.As(err, &c)
}

// under puts a step in front of the path of a coercion error.
func under(step string, err error) error {
	if err == nil {
		return nil
	}
	var c *coercion
	if errors.As(err, &c) {
		return &coercion{c.message, step + c.path}
	}
	return err
}

// node reads values of one type.
type node struct {
	t      *types.Type
	elem   *node
	fields []*node
	index  map[string]int
}

func newNode(t *types.Type) *node {
	n := &node{t: t}
	switch t.Kind {
	case types.KindArray, types.KindMap:
		n.elem = newNode(t.Elem)
	case types.KindStruct:
		n.index = make(map[string]int, len(t.Fields))
		for i, f := range t.Fields {
			n.fields = append(n.fields, newNode(f.Type))
			n.index[f.Name] = i
		}
	}
	return n
}

// decode reads the first JSON value of a text.
func (n *node) decode(data []byte) (types.Value, error) {
	s := &scanner{data: bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))}
	if s.next() == 0 && s.pos == len(s.data) {
		return types.Null, &coercion{n.cannot("MissingNode"), "$"}
	}
	v, err := n.value(s)
	return v, under("$", err)
}

// cannot is the text for a JSON value of the wrong kind.
func (n *node) cannot(source string) string {
	required := n.t.Kind.String()
	if n.t.Kind >= types.KindArray || n.t.Kind == types.KindDecimal {
		required = sqlText(n.t)
	}
	return "Can't convert type. sourceType: " + source + ", requiredType: " + required
}

// sqlText prints a type as ksqlDB's SqlSchemaFormatter does.
func sqlText(t *types.Type) string {
	switch t.Kind {
	case types.KindInteger, types.KindDate, types.KindTime:
		return "INT"
	case types.KindTimestamp:
		return "BIGINT"
	case types.KindString:
		return "VARCHAR"
	case types.KindArray:
		return "ARRAY<" + sqlText(t.Elem) + ">"
	case types.KindMap:
		return "MAP<VARCHAR, " + sqlText(t.Elem) + ">"
	case types.KindStruct:
		parts := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			parts[i] = f.Name + " " + sqlText(f.Type)
		}
		return "STRUCT<" + strings.Join(parts, ", ") + ">"
	default:
		return t.String()
	}
}

// value takes the next value. After a coercion error the scanner may stand
// anywhere within it.
func (n *node) value(s *scanner) (types.Value, error) {
	c := s.next()
	if c == 'n' {
		return types.Null, s.literal("null")
	}
	switch n.t.Kind {
	case types.KindString:
		text, err := s.asText(false)
		if err != nil {
			return types.Null, err
		}
		return types.StringValue(text), nil
	case types.KindStruct:
		if c == '{' {
			return n.structValue(s)
		}
	case types.KindArray:
		if c == '[' {
			return n.arrayValue(s)
		}
	case types.KindMap:
		if c == '{' {
			return n.mapValue(s)
		}
	case types.KindBoolean:
		switch c {
		case 't':
			return types.BoolValue(true), s.literal("true")
		case 'f':
			return types.BoolValue(false), s.literal("false")
		}
	case types.KindBytes:
		if c == '"' {
			return bytesValue(s)
		}
	default:
		if c == '"' {
			return n.numberFromText(s)
		}
		if c == '-' || c >= '0' && c <= '9' {
			return n.number(s)
		}
	}
	source, err := s.nodeName()
	if err != nil {
		return types.Null, err
	}
	return types.Null, &coercion{message: n.cannot(source)}
}

// nodeName takes the next value and gives the name of Jackson's class for it.
func (s *scanner) nodeName() (string, error) {
	switch c := s.next(); {
	case c == '{':
		return "ObjectNode", s.skip()
	case c == '[':
		return "ArrayNode", s.skip()
	case c == '"':
		return "TextNode", s.skip()
	case c == 't' || c == 'f':
		return "BooleanNode", s.skip()
	case c == '-' || c >= '0' && c <= '9':
		text, integer, err := s.number()
		if err != nil {
			return "", err
		}
		if !integer {
			return "DecimalNode", nil
		}
		n, err := strconv.ParseInt(string(text), 10, 64)
		switch {
		case err != nil:
			return "BigIntegerNode", nil
		case n != int64(int32(n)):
			return "LongNode", nil
		default:
			return "IntNode", nil
		}
	default:
		return "", s.skip()
	}
}

func bytesValue(s *scanner) (types.Value, error) {
	text, err := s.text()
	if err != nil {
		return types.Null, err
	}
	if bytes.ContainsAny(text, "\r\n") {
		return types.Null, &coercion{message: "Value is not a valid Base64 encoded string: " + string(text)}
	}
	b, err := base64.StdEncoding.AppendDecode(make([]byte, 0, len(text)*3/4), text)
	if err != nil {
		return types.Null, &coercion{message: "Value is not a valid Base64 encoded string: " + string(text)}
	}
	return types.BytesValue(b), nil
}

func (n *node) numberFromText(s *scanner) (types.Value, error) {
	raw, err := s.text()
	if err != nil {
		return types.Null, err
	}
	text := unsafe.String(unsafe.SliceData(raw), len(raw))
	switch n.t.Kind {
	case types.KindDecimal:
		d, err := types.ParseDecimal(text)
		if err != nil {
			return types.Null, &coercion{message: notANumber(text)}
		}
		return n.decimal(d)
	case types.KindDouble:
		f, err := serde.ParseDouble(text)
		if err != nil {
			return types.Null, n.cannotCoerce()
		}
		return types.DoubleValue(f), nil
	default:
		bits := 64
		if n.t.Kind == types.KindInteger {
			bits = 32
		}
		i, ok := serde.ParseInt(text, bits)
		if !ok {
			return types.Null, n.cannotCoerce()
		}
		return n.integer(i)
	}
}

// notANumber is the message of Java's NumberFormatException as BigDecimal
// gives it.
func notANumber(text string) string {
	for _, r := range text {
		if !strings.ContainsRune("0123456789+-.eE", r) {
			return fmt.Sprintf("Character %c is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark.", r)
		}
	}
	return "null"
}

func (n *node) cannotCoerce() error {
	return &coercion{message: "Can't coerce string to type. targetType: " + n.t.Kind.String()}
}

func (n *node) number(s *scanner) (types.Value, error) {
	text, integer, err := s.number()
	if err != nil {
		return types.Null, err
	}
	str := unsafe.String(unsafe.SliceData(text), len(text))
	switch n.t.Kind {
	case types.KindDouble:
		f, err := strconv.ParseFloat(str, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return types.Null, &coercion{message: err.Error()}
		}
		if f == 0 && integer {
			f = 0 // there is no integer -0
		}
		return types.DoubleValue(f), nil
	case types.KindDecimal:
		d, err := types.ParseDecimal(str)
		if err != nil {
			return types.Null, &coercion{message: err.Error()}
		}
		return n.decimal(d)
	}
	if integer {
		if i, err := strconv.ParseInt(str, 10, 64); err == nil {
			return n.integer(i)
		}
	}
	d, err := types.ParseDecimal(str)
	if err != nil {
		return types.Null, &coercion{message: err.Error()}
	}
	return n.integer(lowBits(d))
}

// lowBits is BigDecimal.longValue: the fraction cut off, then the low 64 bits.
func lowBits(d *apd.Decimal) int64 {
	if d.Exponent >= 64 || d.NumDigits()+int64(d.Exponent) <= 0 {
		return 0
	}
	var pow, whole apd.BigInt
	if d.Exponent >= 0 {
		pow.Exp(apd.NewBigInt(10), apd.NewBigInt(int64(d.Exponent)), nil)
		whole.Mul(&d.Coeff, &pow)
	} else {
		pow.Exp(apd.NewBigInt(10), apd.NewBigInt(-int64(d.Exponent)), nil)
		whole.Quo(&d.Coeff, &pow)
	}
	var mask apd.BigInt
	mask.SetUint64(1<<64 - 1)
	low := whole.And(&whole, &mask).Uint64()
	if d.Negative {
		low = -low
	}
	return int64(low)
}

const (
	millisPerDay = 24 * 60 * 60 * 1000
	maxInt64     = 1<<63 - 1
	minInt64     = -1 << 63
)

// integer makes a value of the node's integer or time type. INTEGER keeps the
// low 32 bits, as Java's narrowing does; DATE saturates where its milliseconds
// overflow.
func (n *node) integer(i int64) (types.Value, error) {
	switch n.t.Kind {
	case types.KindInteger:
		i = int64(int32(i))
	case types.KindTime:
		if err := serde.CheckTime(i); err != nil {
			return types.Null, &coercion{message: err.Error()}
		}
	case types.KindDate:
		i = min(max(i, minInt64/millisPerDay), maxInt64/millisPerDay)
	}
	return types.IntValue(i), nil
}

func (n *node) decimal(d *apd.Decimal) (types.Value, error) {
	d, err := types.FitDecimal(d, n.t.Precision, n.t.Scale)
	if err != nil {
		return types.Null, &coercion{message: err.Error()}
	}
	return types.DecimalValue(d), nil
}

func (n *node) arrayValue(s *scanner) (types.Value, error) {
	var elems []types.Value
	err := s.elements(func(i int) error {
		v, err := n.elem.value(s)
		if err != nil {
			return under("["+strconv.Itoa(i)+"]", err)
		}
		elems = append(elems, v)
		return nil
	})
	if err != nil {
		return types.Null, err
	}
	return types.ArrayValue(elems), nil
}

func (n *node) mapValue(s *scanner) (types.Value, error) {
	var entries serde.Entries
	err := s.members(func(name []byte) error {
		key := string(name)
		v, err := n.elem.value(s)
		if err != nil {
			return under("."+key+".value", err)
		}
		entries.Add(types.StringValue(key), v)
		return nil
	})
	if err != nil {
		return types.Null, err
	}
	return entries.Map(true), nil
}

// How a member got its value so far.
const (
	unset = iota
	byUpperCase
	byName
)

// structValue reads an object into a STRUCT. A member whose name equals the
// field's wins over one whose name does so only in upper case, the last of
// equals wins, and only the value that wins may fail.
func (n *node) structValue(s *scanner) (types.Value, error) {
	values := make([]types.Value, len(n.fields))
	var foundArray [32]uint8
	found := foundArray[:]
	if len(n.fields) > len(foundArray) {
		found = make([]uint8, len(n.fields))
	}
	var failures map[int]error
	guess := 0
	set := func(i int, how uint8) error {
		start := s.pos
		v, err := n.fields[i].value(s)
		if err != nil {
			if !isCoercion(err) {
				return err
			}
			if failures == nil {
				failures = map[int]error{}
			}
			failures[i] = err
			s.pos = start
			if err := s.skip(); err != nil {
				return err
			}
		} else {
			delete(failures, i)
		}
		values[i], found[i] = v, how
		return nil
	}
	err := s.members(func(name []byte) error {
		start := s.pos
		i, exact := guess, guess < len(n.fields) && n.t.Fields[guess].Name == string(name)
		if !exact {
			i, exact = n.index[string(name)]
		}
		if exact {
			guess = i + 1
			if err := set(i, byName); err != nil {
				return err
			}
		}
		if isUpper(name) {
			if !exact {
				return s.skip()
			}
			return nil
		}
		j, upper := n.index[strings.ToUpper(string(name))]
		if upper && found[j] != byName {
			s.pos = start
			return set(j, byUpperCase)
		}
		if !exact {
			return s.skip()
		}
		return nil
	})
	if err != nil {
		return types.Null, err
	}
	for i := range n.fields {
		if err := failures[i]; err != nil {
			return types.Null, under("."+n.t.Fields[i].Name, err)
		}
	}
	return types.StructValue(values), nil
}

// isUpper reports whether upper-casing an ASCII name changes nothing.
func isUpper(name []byte) bool {
	for _, c := range name {
		if c >= 'a' && c <= 'z' || c >= 0x80 {
			return false
		}
	}
	return true
}
