package function

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func bytesFunctions() []scalarDef {
	return []scalarDef{
		{"to_bytes", CategoryString, "The bytes of a text in an encoding: hex, utf8, ascii or base64.", []overloadDef{
			{params: "VARCHAR value, VARCHAR encoding", result: "BYTES", impl: f2(func(v, encoding types.Value) (types.Value, error) {
				b, err := decodeBytes(v.Str(), encoding.Str())
				return types.BytesValue(b), err
			})},
		}},
		{"from_bytes", CategoryString, "The text of bytes in an encoding: hex, utf8, ascii or base64.", []overloadDef{
			{params: "BYTES value, VARCHAR encoding", result: "VARCHAR", impl: f2(func(v, encoding types.Value) (types.Value, error) {
				s, err := encodeBytes(v.Bytes(), encoding.Str())
				return types.StringValue(s), err
			})},
		}},
		{"encode", CategoryString, "A text in another encoding: hex, utf8, ascii or base64.", []overloadDef{
			{params: "VARCHAR str, VARCHAR inputEncoding, VARCHAR outputEncoding", result: "VARCHAR", impl: f3(encode)},
		}},
		numberFromBytes("int_from_bytes", "The INT of 4 bytes.", "INT", 4, func(o binary.ByteOrder, b []byte) types.Value {
			return types.IntValue(int64(int32(o.Uint32(b))))
		}),
		numberFromBytes("bigint_from_bytes", "The BIGINT of 8 bytes.", "BIGINT", 8, func(o binary.ByteOrder, b []byte) types.Value {
			return types.IntValue(int64(o.Uint64(b)))
		}),
		numberFromBytes("double_from_bytes", "The DOUBLE of 8 bytes.", "DOUBLE", 8, func(o binary.ByteOrder, b []byte) types.Value {
			return types.DoubleValue(math.Float64frombits(o.Uint64(b)))
		}),
	}
}

func numberFromBytes(name, description, result string, size int, read func(binary.ByteOrder, []byte) types.Value) scalarDef {
	convert := func(v types.Value, order string) (types.Value, error) {
		var o binary.ByteOrder
		switch strings.ToUpper(order) {
		case "BIG_ENDIAN":
			o = binary.BigEndian
		case "LITTLE_ENDIAN":
			o = binary.LittleEndian
		default:
			return types.Null, fmt.Errorf("Byte order must be BIG_ENDIAN or LITTLE_ENDIAN. Unknown byte order '%s'.", order)
		}
		if len(v.Bytes()) != size {
			return types.Null, fmt.Errorf("Number of bytes must be equal to %d, but found %d", size, len(v.Bytes()))
		}
		return read(o, v.Bytes()), nil
	}
	return scalarDef{name, "CONVERSIONS", description, []overloadDef{
		{params: "BYTES value", result: result, impl: f1(func(v types.Value) (types.Value, error) { return convert(v, "BIG_ENDIAN") })},
		{params: "BYTES value, VARCHAR byteOrder", result: result, impl: f2(func(v, order types.Value) (types.Value, error) {
			return convert(v, order.Str())
		})},
	}}
}

func decodeBytes(s, encoding string) ([]byte, error) {
	switch strings.ToLower(encoding) {
	case "hex":
		return hex.DecodeString(s)
	case "utf8":
		return []byte(s), nil
	case "ascii":
		return toASCII(s), nil
	case "base64":
		return types.DecodeBase64(s)
	default:
		return nil, unknownEncoding(encoding)
	}
}

func encodeBytes(b []byte, encoding string) (string, error) {
	switch strings.ToLower(encoding) {
	case "hex":
		return strings.ToUpper(hex.EncodeToString(b)), nil
	case "utf8":
		return fromUTF8(b), nil
	case "ascii":
		return fromASCII(b), nil
	case "base64":
		return base64.StdEncoding.EncodeToString(b), nil
	default:
		return "", unknownEncoding(encoding)
	}
}

func unknownEncoding(name string) error {
	return fmt.Errorf("Unknown encoding type '%s'. Supported formats are 'hex', 'utf8', 'ascii', and 'base64'.", name)
}

// toASCII puts a question mark where a character has no ASCII code.
func toASCII(s string) []byte {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r >= utf8.RuneSelf {
			r = '?'
		}
		out = append(out, byte(r))
	}
	return out
}

// fromASCII puts the replacement character where a byte is no ASCII code.
func fromASCII(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		if c >= utf8.RuneSelf {
			s.WriteRune(utf8.RuneError)
			continue
		}
		s.WriteByte(c)
	}
	return s.String()
}

// fromUTF8 puts the replacement character for each byte that is out of place.
func fromUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	for _, r := range string(b) {
		s.WriteRune(r)
	}
	return s.String()
}

var errEncodings = errors.New("Supported input and output encodings are: hex -> utf8, hex -> ascii, hex -> base64, " +
	"utf8 -> hex, utf8 -> ascii, utf8 -> base64, ascii -> hex, ascii -> utf8, ascii -> base64, base64 -> hex, base64 -> ascii, base64 -> utf8")

func encode(s, from, to types.Value) (types.Value, error) {
	in, out := strings.ToLower(from.Str()), strings.ToLower(to.Str())
	var b []byte
	switch in {
	case "hex":
		var err error
		if b, err = hex.DecodeString(stripHex(s.Str())); err != nil {
			return types.Null, err
		}
	case "utf8":
		b = []byte(s.Str())
	case "ascii":
		b = toASCII(s.Str())
	case "base64":
		b = decodeLenientBase64(s.Str())
	default:
		return types.Null, errEncodings
	}
	if in == out {
		return types.Null, errEncodings
	}
	switch out {
	case "hex":
		return text(hex.EncodeToString(b))
	case "utf8":
		return text(fromUTF8(b))
	case "ascii":
		return text(fromASCII(b))
	case "base64":
		return text(base64.StdEncoding.EncodeToString(b))
	default:
		return types.Null, errEncodings
	}
}

// stripHex takes off the marks of 0xAB and X'AB'.
func stripHex(s string) string {
	if rest, ok := strings.CutPrefix(s, "0x"); ok {
		if len(s)%2 != 0 {
			return "0" + rest
		}
		return rest
	}
	if len(s) >= 3 && (s[0] == 'x' || s[0] == 'X') && s[1] == '\'' && s[len(s)-1] == '\'' {
		return s[2 : len(s)-1]
	}
	return s
}

// decodeLenientBase64 passes over characters that are not of base 64 and takes
// the URL-safe ones too.
func decodeLenientBase64(s string) []byte {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '+', r == '/':
			return r
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		default:
			return -1
		}
	}, strings.SplitN(s, "=", 2)[0])
	b, _ := base64.RawStdEncoding.DecodeString(clean)
	return b
}
