package json

import (
	"errors"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// asText takes the next value and gives it as a STRING column gets it: strings
// as they are, numbers and booleans as text, objects as JSON, arrays as
// "[a, b]". A null within an array is "null".
func (s *scanner) asText(inArray bool) (string, error) {
	switch c := s.next(); {
	case c == '"':
		text, err := s.text()
		return string(text), err
	case c == '{':
		out, err := s.appendJSON(nil)
		return string(out), err
	case c == '[':
		var parts []string
		err := s.elements(func(int) error {
			part, err := s.asText(true)
			parts = append(parts, part)
			return err
		})
		return "[" + strings.Join(parts, ", ") + "]", err
	case c == 'n' && inArray:
		return "null", s.literal("null")
	case c == 't':
		return "true", s.literal("true")
	case c == 'f':
		return "false", s.literal("false")
	case c == '-' || c >= '0' && c <= '9':
		out, err := s.appendNumber(nil)
		return string(out), err
	default:
		return "", s.skip()
	}
}

// appendNumber takes a number and appends it as Java prints a BigInteger or a
// BigDecimal.
func (s *scanner) appendNumber(dst []byte) ([]byte, error) {
	text, integer, err := s.number()
	if err != nil {
		return nil, err
	}
	if integer {
		if string(text) == "-0" {
			text = text[1:]
		}
		return append(dst, text...), nil
	}
	d, err := types.ParseDecimal(string(text))
	if errors.Is(err, types.ErrNotANumber) {
		return nil, syntax("Malformed numeric value")
	}
	if err != nil {
		return nil, err
	}
	return appendBigDecimal(dst, d), nil
}

// appendBigDecimal appends a decimal as BigDecimal.toString does.
func appendBigDecimal(dst []byte, d *apd.Decimal) []byte {
	digits := d.Coeff.String()
	adjusted := int64(d.Exponent) + int64(len(digits)) - 1
	if d.Exponent <= 0 && adjusted >= -6 {
		return types.AppendDecimal(dst, d)
	}
	if d.Negative {
		dst = append(dst, '-')
	}
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	dst = append(dst, 'E')
	if adjusted >= 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, adjusted, 10)
}

// appendJSON takes the next value and appends it as compact JSON, the way
// Jackson prints the maps, lists and numbers it parsed it into.
func (s *scanner) appendJSON(dst []byte) ([]byte, error) {
	switch c := s.next(); {
	case c == '{':
		return s.appendObject(dst)
	case c == '[':
		dst = append(dst, '[')
		err := s.elements(func(i int) (err error) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst, err = s.appendJSON(dst)
			return err
		})
		return append(dst, ']'), err
	case c == '"':
		text, err := s.text()
		return appendString(dst, string(text), false), err
	case c == '-' || c >= '0' && c <= '9':
		return s.appendNumber(dst)
	default:
		start := s.pos
		err := s.skip()
		return append(dst, s.data[start:s.pos]...), err
	}
}

func (s *scanner) appendObject(dst []byte) ([]byte, error) {
	var names []string
	values := map[string][]byte{}
	err := s.members(func(name []byte) error {
		key := string(name)
		if _, ok := values[key]; !ok {
			names = append(names, key)
		}
		v, err := s.appendJSON(nil)
		values[key] = v
		return err
	})
	if err != nil {
		return nil, err
	}
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name, false), ':')
		dst = append(dst, values[name]...)
	}
	return append(dst, '}'), nil
}
