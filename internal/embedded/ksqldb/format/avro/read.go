package avro

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/twmb/avro"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/connect"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// A reader takes values out of a Go value of a type that was made for one
// writer schema: the Avro library decodes into it, without an interface value
// per field, and the reader's closures turn its fields into SQL values.
//
// A member that may be null is a pointer in the Go type. Within a record the
// record also has the room that the pointer points to, so that decoding
// allocates nothing but strings, bytes and collections: points lists the
// offsets of such pointers and of their targets, to be set before decoding.
type reader struct {
	goType reflect.Type
	// read takes the value at p, which points to a goType.
	read   func(p unsafe.Pointer) (types.Value, error)
	points []point
	// tagged is set when the Go type holds interface values whose union
	// branch has to be told.
	tagged bool
}

type point struct{ pointer, target uintptr }

var (
	anyType     = reflect.TypeFor[any]()
	boolType    = reflect.TypeFor[bool]()
	int32Type   = reflect.TypeFor[int32]()
	int64Type   = reflect.TypeFor[int64]()
	float32Type = reflect.TypeFor[float32]()
	float64Type = reflect.TypeFor[float64]()
	stringType  = reflect.TypeFor[string]()
	bytesType   = reflect.TypeFor[[]byte]()
)

// failing reads nothing: the writer's type can't be read as the column's. Like
// in ksqlDB it is an error of the records, not of the statement.
func failing(err error) *reader {
	return &reader{goType: anyType, read: func(unsafe.Pointer) (types.Value, error) { return types.Null, err }}
}

// newReader makes a reader of the writer's type n for the SQL type t.
func newReader(n *avro.SchemaNode, t *types.Type, path string) (*reader, error) {
	if n.Type == "union" {
		branch, optional := soleBranch(n)
		if branch == nil {
			return unionReader(n, t, path)
		}
		r, err := newReader(branch, t, path)
		if err != nil {
			return nil, err
		}
		if !optional || r.goType == anyType {
			return r, nil
		}
		return optionalReader(r), nil
	}
	s, err := shallow(n)
	if err != nil {
		return nil, err
	}
	if err := connect.Readable(s, t, path); err != nil {
		return failing(err), nil
	}
	switch n.Type {
	case "record", "error":
		return recordReader(n, t, path)
	case "array":
		if s.Type == connect.Map {
			return entriesReader(n.Items, t, path)
		}
		return arrayReader(n, t, path)
	case "map":
		return mapReader(n, t, path)
	default:
		return leafReader(n, t), nil
	}
}

// optionalReader reads a value that may be null, as a pointer to it.
func optionalReader(r *reader) *reader {
	read := r.read
	return &reader{
		goType: reflect.PointerTo(r.goType),
		read: func(p unsafe.Pointer) (types.Value, error) {
			target := *(*unsafe.Pointer)(p)
			if target == nil {
				return types.Null, nil
			}
			return read(target)
		},
		tagged: r.tagged,
	}
}

func recordReader(n *avro.SchemaNode, t *types.Type, path string) (*reader, error) {
	var fields []reflect.StructField
	type member struct {
		column int
		field  int
		reader *reader
		room   *reader
	}
	var members []member
	for i := range n.Fields {
		f := &n.Fields[i]
		column := t.FieldIndex(f.Name)
		if column < 0 {
			if column = t.FieldIndex(strings.ToUpper(f.Name)); column < 0 {
				continue
			}
		}
		r, err := newReader(&f.Type, t.Fields[column].Type, path+"->"+t.Fields[column].Name)
		if err != nil {
			return nil, err
		}
		m := member{column: column, field: len(fields), reader: r}
		name := strconv.Itoa(i)
		fields = append(fields, reflect.StructField{
			Name: "F" + name, Type: r.goType, Tag: reflect.StructTag(`avro:` + strconv.Quote(f.Name)),
		})
		if r.goType.Kind() == reflect.Pointer {
			branch, _ := soleBranch(&f.Type)
			if m.room, err = newReader(branch, t.Fields[column].Type, path+"->"+t.Fields[column].Name); err != nil {
				return nil, err
			}
			fields = append(fields, reflect.StructField{Name: "R" + name, Type: m.room.goType, Tag: `avro:"-"`})
		}
		members = append(members, m)
	}
	out := &reader{goType: reflect.StructOf(fields)}
	type readField struct {
		column int
		offset uintptr
		read   func(unsafe.Pointer) (types.Value, error)
	}
	var reads []readField
	for _, m := range members {
		offset := out.goType.Field(m.field).Offset
		reads = append(reads, readField{m.column, offset, m.reader.read})
		out.tagged = out.tagged || m.reader.tagged
		inner, base := m.reader, offset
		if m.room != nil {
			inner, base = m.room, out.goType.Field(m.field+1).Offset
			out.points = append(out.points, point{offset, base})
		}
		for _, p := range inner.points {
			out.points = append(out.points, point{base + p.pointer, base + p.target})
		}
	}
	size := len(t.Fields)
	out.read = func(p unsafe.Pointer) (types.Value, error) {
		values := make([]types.Value, size)
		for i := range reads {
			v, err := reads[i].read(unsafe.Add(p, reads[i].offset))
			if err != nil {
				return types.Null, err
			}
			values[reads[i].column] = v
		}
		return types.StructValue(values), nil
	}
	return out, nil
}

func arrayReader(n *avro.SchemaNode, t *types.Type, path string) (*reader, error) {
	elem, err := newReader(n.Items, t.Elem, path+"->ARRAY")
	if err != nil {
		return nil, err
	}
	sliceType := reflect.SliceOf(elem.goType)
	return &reader{goType: sliceType, tagged: elem.tagged, read: func(p unsafe.Pointer) (types.Value, error) {
		slice := reflect.NewAt(sliceType, p).Elem()
		values := make([]types.Value, slice.Len())
		for i := range values {
			v, err := elem.read(slice.Index(i).Addr().UnsafePointer())
			if err != nil {
				return types.Null, err
			}
			values[i] = v
		}
		return types.ArrayValue(values), nil
	}}, nil
}

func mapReader(n *avro.SchemaNode, t *types.Type, path string) (*reader, error) {
	elem, err := newReader(n.Values, t.Elem, path+"->MAP_VAL")
	if err != nil {
		return nil, err
	}
	if err := connect.Readable(&connect.Schema{Type: connect.String}, t.Key, path+"->MAP_KEY"); err != nil {
		return failing(err), nil
	}
	mapType := reflect.MapOf(stringType, elem.goType)
	return &reader{goType: mapType, tagged: elem.tagged, read: func(p unsafe.Pointer) (types.Value, error) {
		m := reflect.NewAt(mapType, p).Elem()
		var entries serde.Entries
		room := reflect.New(elem.goType)
		for it := m.MapRange(); it.Next(); {
			room.Elem().SetIterValue(it)
			v, err := elem.read(room.UnsafePointer())
			if err != nil {
				return types.Null, err
			}
			entries.Add(types.StringValue(validText(it.Key().String())), v)
		}
		entries.Sort()
		return entries.Map(false), nil
	}}, nil
}

// entriesReader reads a map that is written as an array of entries.
func entriesReader(n *avro.SchemaNode, t *types.Type, path string) (*reader, error) {
	key, err := newReader(&n.Fields[0].Type, t.Key, path+"->MAP_KEY")
	if err != nil {
		return nil, err
	}
	value, err := newReader(&n.Fields[1].Type, t.Elem, path+"->MAP_VAL")
	if err != nil {
		return nil, err
	}
	entryType := reflect.StructOf([]reflect.StructField{
		{Name: "Key", Type: key.goType, Tag: `avro:"key"`},
		{Name: "Value", Type: value.goType, Tag: `avro:"value"`},
	})
	valueOffset := entryType.Field(1).Offset
	sliceType := reflect.SliceOf(entryType)
	return &reader{goType: sliceType, tagged: key.tagged || value.tagged, read: func(p unsafe.Pointer) (types.Value, error) {
		slice := reflect.NewAt(sliceType, p).Elem()
		var entries serde.Entries
		for i := range slice.Len() {
			entry := slice.Index(i).Addr().UnsafePointer()
			k, err := key.read(entry)
			if err != nil {
				return types.Null, err
			}
			v, err := value.read(unsafe.Add(entry, valueOffset))
			if err != nil {
				return types.Null, err
			}
			entries.Add(k, v)
		}
		return entries.Map(false), nil
	}}, nil
}

// leafReader reads a type without members, once Readable allows it.
func leafReader(n *avro.SchemaNode, t *types.Type) *reader {
	text := t.Kind == types.KindString
	switch n.Type {
	case "boolean":
		return &reader{goType: boolType, read: func(p unsafe.Pointer) (types.Value, error) {
			if text {
				return types.StringValue(strconv.FormatBool(*(*bool)(p))), nil
			}
			return types.BoolValue(*(*bool)(p)), nil
		}}
	case "int":
		return &reader{goType: int32Type, read: func(p unsafe.Pointer) (types.Value, error) {
			return intValue(int64(*(*int32)(p)), text), nil
		}}
	case "long":
		return &reader{goType: int64Type, read: func(p unsafe.Pointer) (types.Value, error) {
			return intValue(*(*int64)(p), text), nil
		}}
	case "float":
		return &reader{goType: float32Type, read: func(p unsafe.Pointer) (types.Value, error) {
			if text {
				return types.StringValue(floatText(*(*float32)(p))), nil
			}
			return types.DoubleValue(float64(*(*float32)(p))), nil
		}}
	case "double":
		return &reader{goType: float64Type, read: func(p unsafe.Pointer) (types.Value, error) {
			if text {
				return types.StringValue(string(types.AppendDouble(nil, *(*float64)(p)))), nil
			}
			return types.DoubleValue(*(*float64)(p)), nil
		}}
	case "string", "enum":
		return &reader{goType: stringType, read: func(p unsafe.Pointer) (types.Value, error) {
			return types.StringValue(validText(*(*string)(p))), nil
		}}
	default: // bytes, fixed
		if t.Kind != types.KindDecimal {
			return &reader{goType: bytesType, read: func(p unsafe.Pointer) (types.Value, error) {
				return types.BytesValue(*(*[]byte)(p)), nil
			}}
		}
		scale, precision, want := n.Scale, t.Precision, t.Scale
		return &reader{goType: bytesType, read: func(p unsafe.Pointer) (types.Value, error) {
			return decimalValue(*(*[]byte)(p), scale, precision, want)
		}}
	}
}

// maxUnscaled bounds the bytes of a decimal that is read.
const maxUnscaled = 4096

func decimalValue(unscaled []byte, scale, precision, want int) (types.Value, error) {
	if len(unscaled) > maxUnscaled {
		return types.Null, fmt.Errorf("a decimal has %d bytes: at most %d are read", len(unscaled), maxUnscaled)
	}
	d := types.DecimalFromUnscaled(unscaled, scale)
	if scale != want {
		var err error
		if d, err = types.FitDecimal(d, precision, want); err != nil {
			return types.Null, err
		}
	}
	return types.DecimalValue(d), nil
}

func intValue(i int64, text bool) types.Value {
	if text {
		return types.StringValue(strconv.FormatInt(i, 10))
	}
	return types.IntValue(i)
}

// validText replaces what isn't UTF-8, as Java does on reading.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
