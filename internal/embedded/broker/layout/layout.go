// Package layout knows how the requests of the Kafka protocol lie in their
// bytes, as far as it takes to walk over them.
//
// A decoder makes room for as many elements as a request says it has, and reads
// as many tags as it says there are, before it finds that they aren't there: a
// few bytes can cost gigabytes, or minutes. So every request is walked over
// first. What the walk accepts has all the elements it announces, and Walk says
// how much memory they take once they are decoded. The walk itself allocates
// nothing and takes time in proportion to the bytes.
//
// The layouts are those of Kafka's message definitions, for the versions that the
// broker answers; tests hold them against kmsg's encoder.
package layout

import (
	"encoding/binary"
	"errors"
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// textCost is what a string takes beside its bytes: the rounding up of its
	// allocation, and a pointer to it where it may be null.
	textCost = 32
	// tagsCost and tagCost are what tags that nobody knows take: a map, and an
	// entry of it.
	tagsCost, tagCost = 512, 128

	forEver = 1<<15 - 1
)

var errCut = errors.New("it says that it has more than its bytes hold")

type kind uint8

const (
	fixed kind = iota // size bytes
	text              // a string, null or not
	blob              // bytes, which are decoded in their place
	list              // elements of the same fields
)

// field is one part of a request: of the versions first to last.
type field struct {
	kind        kind
	first, last int16
	size        int // bytes, encoded when fixed; those of an element decoded when a list
	of          []field
	plain       bool // elements of a list have no tags of their own: it isn't one of structures
	// structures says which of an element's tags have tags of their own.
	structures map[uint32][]field
}

func (f field) since(v int16) field { f.first = v; return f }
func (f field) until(v int16) field { f.last = v; return f }

func number(bytes int) field { return field{kind: fixed, last: forEver, size: bytes} }

func listOf[T any](of ...field) field {
	return field{kind: list, last: forEver, size: int(reflect.TypeFor[T]().Size()), of: of}
}

func plainList[T any](of field) field {
	return field{kind: list, last: forEver, size: int(reflect.TypeFor[T]().Size()), of: []field{of}, plain: true}
}

// request is the layout of one kind of request.
type request struct {
	flexible   int16 // the first version with tags and compact lengths
	fields     []field
	structures map[uint32][]field // as in field
}

// Known tells whether Walk knows a kind of request.
func Known(key kmsg.Key) bool {
	_, ok := requests[key]
	return ok
}

// Walk goes over the bytes of a request, those behind its header. It returns
// about how many bytes of memory decoding them takes, or an error when they
// aren't whole.
func Walk(key kmsg.Key, version int16, body []byte) (cost int64, err error) {
	r, ok := requests[key]
	if !ok {
		return 0, errors.New("its layout is not known")
	}
	w := walker{rest: body, version: version, flexible: version >= r.flexible}
	w.fields(r.fields)
	if w.flexible {
		w.tags(r.structures)
	}
	if w.bad {
		return 0, errCut
	}
	return w.cost, nil
}

// Header goes over what follows the correlation id of a request's header, and
// returns the client id, nil when there is none, and the request's body.
func Header(src []byte, flexible bool) (clientID, body []byte, err error) {
	w := walker{rest: src}
	if n := w.length(); n >= 0 {
		clientID = w.span(n)
	}
	if flexible {
		w.tags(nil)
	}
	if w.bad {
		return nil, nil, errCut
	}
	return clientID, w.rest, nil
}

type walker struct {
	rest     []byte
	version  int16
	flexible bool
	bad      bool // there were too few bytes
	cost     int64
}

func (w *walker) span(n int) []byte {
	if n < 0 || n > len(w.rest) {
		w.bad, w.rest = true, nil
		return nil
	}
	b := w.rest[:n]
	w.rest = w.rest[n:]
	return b
}

func (w *walker) uvarint() uint32 {
	v, n := binary.Uvarint(w.rest)
	if n <= 0 || n > binary.MaxVarintLen32 || v > 1<<32-1 {
		w.bad, w.rest = true, nil
		return 0
	}
	w.rest = w.rest[n:]
	return uint32(v)
}

// length reads the length of a string; negative means null.
func (w *walker) length() int {
	if w.flexible {
		return int(w.uvarint()) - 1
	}
	b := w.span(2)
	if w.bad {
		return -1
	}
	return int(int16(binary.BigEndian.Uint16(b)))
}

// count reads the length of bytes or a list; negative means null.
func (w *walker) count() int {
	if w.flexible {
		return int(w.uvarint()) - 1
	}
	b := w.span(4)
	if w.bad {
		return -1
	}
	return int(int32(binary.BigEndian.Uint32(b)))
}

func (w *walker) fields(fields []field) {
	for i := range fields {
		f := &fields[i]
		if w.bad || w.version < f.first || w.version > f.last {
			continue
		}
		switch f.kind {
		case fixed:
			w.span(f.size)
		case text:
			if n := w.length(); n >= 0 {
				w.span(n)
				w.cost += int64(n) + textCost
			}
		case blob:
			if n := w.count(); n >= 0 {
				w.span(n)
			}
		case list:
			w.list(f)
		}
	}
}

func (w *walker) list(f *field) {
	n := w.count()
	if n <= 0 {
		return
	}
	// Every element has a byte at least.
	if n > len(w.rest) {
		w.bad, w.rest = true, nil
		return
	}
	w.cost += int64(n) * int64(f.size)
	if f.plain && f.of[0].kind == fixed {
		w.span(n * f.of[0].size)
		return
	}
	for ; n > 0 && !w.bad; n-- {
		w.fields(f.of)
		if w.flexible && !f.plain {
			w.tags(f.structures)
		}
	}
}

func (w *walker) tags(structures map[uint32][]field) {
	n := w.uvarint()
	if n == 0 {
		return
	}
	w.cost += tagsCost
	for ; n > 0 && !w.bad; n-- {
		tag := w.uvarint()
		value := w.span(int(w.uvarint()))
		w.cost += tagCost
		if fields, ok := structures[tag]; ok && !w.bad {
			inner := walker{rest: value, version: w.version, flexible: true}
			inner.fields(fields)
			inner.tags(nil)
			w.cost += inner.cost
			w.bad = inner.bad
		}
	}
}
