// Package requesttest makes requests of the Kafka protocol out of arbitrary
// bytes, for tests: well formed, and as absurd as the bytes. The same bytes make
// the same request.
package requesttest

import (
	"math"
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxElements bounds the lists that Fill makes.
const maxElements = 4

// Source gives out bytes. Once they are used up it gives zeros.
type Source struct {
	rest []byte
	// Names are the texts that requests are mostly made of, such as those of topics
	// that exist.
	Names []string
}

// NewSource makes a Source.
func NewSource(data []byte, names ...string) *Source { return &Source{rest: data, Names: names} }

// Empty tells whether all bytes are used up.
func (s *Source) Empty() bool { return len(s.rest) == 0 }

// Byte gives the next byte.
func (s *Source) Byte() byte {
	if len(s.rest) == 0 {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b
}

func (s *Source) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = s.Byte()
	}
	return b
}

// extremes are the numbers that code is mostly wrong about.
var extremes = []int64{-1, 1, -2, -3, 2, 100, 30_000, math.MaxInt8, math.MinInt8, math.MaxInt16, math.MinInt16, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}

func (s *Source) number() int64 {
	switch b := s.Byte(); {
	case b < 128:
		return int64(b >> 4) // a small one, such as a partition
	case int(b-128) < len(extremes):
		return extremes[b-128]
	default:
		var n int64
		for _, b := range s.bytes(8) {
			n = n<<8 | int64(b)
		}
		return n
	}
}

func (s *Source) text() string {
	b := int(s.Byte())
	if len(s.Names) > 0 && b < 224 {
		return s.Names[b%len(s.Names)]
	}
	return string(s.bytes(b % 16))
}

// Fill sets the fields of a request whose version is set. Fields that hold bytes
// are given to special first, by their name and that of their structure; where it
// returns nil they get arbitrary bytes. special may be nil.
func Fill(req kmsg.Request, s *Source, special func(structure, field string) []byte) {
	fill(reflect.ValueOf(req).Elem(), s, special, "", "")
}

func fill(v reflect.Value, s *Source, special func(structure, field string) []byte, structure, name string) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(s.Byte()&1 == 1)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n := s.number()
		v.SetInt(n << (64 - v.Type().Bits()) >> (64 - v.Type().Bits()))
	case reflect.String:
		v.SetString(s.text())
	case reflect.Pointer:
		if s.Byte()&3 != 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), s, special, structure, name)
		}
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(s.Byte()))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if special != nil {
				if b := special(structure, name); b != nil {
					v.SetBytes(b)
					return
				}
			}
			v.SetBytes(s.bytes(int(s.Byte()) % 64))
			return
		}
		n := int(s.Byte()) % (maxElements + 1)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), s, special, structure, name)
		}
	case reflect.Struct:
		t := v.Type()
		for i := range t.NumField() {
			f := t.Field(i)
			switch {
			case f.Name == "Version" || !f.IsExported():
			case f.Type == reflect.TypeFor[kmsg.Tags]():
				if b := s.Byte(); b >= 240 {
					v.Field(i).Addr().Interface().(*kmsg.Tags).Set(uint32(b), s.bytes(3))
				}
			default:
				fill(v.Field(i), s, special, t.Name(), f.Name)
			}
		}
	}
}
