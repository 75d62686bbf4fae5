package protobuf

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/connect"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const millisPerDay = 24 * 60 * 60 * 1000

// maxUnscaled bounds the bytes of a decimal that is read.
const maxUnscaled = 4096

// reader reads one member of a message into a column.
type reader struct {
	column int
	// read takes the member from the message.
	read func(m protoreflect.Message) (types.Value, error)
}

// structReader reads a message into a STRUCT.
type structReader struct {
	size    int
	readers []reader
}

func (r *structReader) read(m protoreflect.Message) (types.Value, error) {
	values := make([]types.Value, r.size)
	for i := range r.readers {
		v, err := r.readers[i].read(m)
		if err != nil {
			return types.Null, err
		}
		values[r.readers[i].column] = v
	}
	return types.StructValue(values), nil
}

// readerMaker makes readers for one way of representing NULL.
type readerMaker struct{ nullable Nullable }

// message makes a reader of messages for a STRUCT type.
func (rm readerMaker) message(m protoreflect.MessageDescriptor, t *types.Type, path string, depth int) (*structReader, error) {
	if depth > maxNesting {
		return nil, errTooDeep
	}
	r := &structReader{size: len(t.Fields)}
	for _, f := range fieldsOf(m) {
		column := columnOf(t, f.name)
		if column < 0 {
			continue
		}
		at := path + "->" + t.Fields[column].Name
		read, err := rm.field(f, t.Fields[column].Type, at, depth+1)
		if err != nil {
			return nil, err
		}
		r.readers = append(r.readers, reader{column, read})
	}
	return r, nil
}

func columnOf(t *types.Type, name string) int {
	if i := t.FieldIndex(name); i >= 0 {
		return i
	}
	return t.FieldIndex(strings.ToUpper(name))
}

func failing(err error) func(protoreflect.Message) (types.Value, error) {
	return func(protoreflect.Message) (types.Value, error) { return types.Null, err }
}

func (rm readerMaker) field(f field, t *types.Type, path string, depth int) (func(protoreflect.Message) (types.Value, error), error) {
	s, err := f.schema(rm.nullable, depth)
	if err != nil {
		return nil, err
	}
	if err := connect.Readable(s, t, path); err != nil {
		return failing(err), nil
	}
	if f.fd == nil {
		return rm.oneof(f, t, path, depth)
	}
	fd := f.fd
	switch {
	case isEntry(fd):
		return rm.entries(fd, t, path, depth)
	case fd.IsList():
		elem, err := rm.single(fd, t.Elem, path+"->ARRAY", depth)
		if err != nil {
			return nil, err
		}
		return func(m protoreflect.Message) (types.Value, error) {
			list := m.Get(fd).List()
			values := make([]types.Value, list.Len())
			for i := range values {
				var err error
				if values[i], err = elem(list.Get(i)); err != nil {
					return types.Null, err
				}
			}
			return types.ArrayValue(values), nil
		}, nil
	default:
		read, err := rm.single(fd, t, path, depth)
		if err != nil {
			return nil, err
		}
		presence := fd.HasPresence()
		return func(m protoreflect.Message) (types.Value, error) {
			if presence && !m.Has(fd) {
				return types.Null, nil
			}
			return read(m.Get(fd))
		}, nil
	}
}

// oneof reads the member that is set into a STRUCT with a member for each.
func (rm readerMaker) oneof(f field, t *types.Type, path string, depth int) (func(protoreflect.Message) (types.Value, error), error) {
	type member struct {
		fd     protoreflect.FieldDescriptor
		column int
		read   func(protoreflect.Value) (types.Value, error)
	}
	var members []member
	for _, fd := range f.oneof {
		column := columnOf(t, string(fd.Name()))
		if column < 0 {
			members = append(members, member{fd: fd, column: -1})
			continue
		}
		read, err := rm.single(fd, t.Fields[column].Type, path+"->"+t.Fields[column].Name, depth)
		if err != nil {
			return nil, err
		}
		members = append(members, member{fd, column, read})
	}
	return func(m protoreflect.Message) (types.Value, error) {
		for i := range members {
			if !m.Has(members[i].fd) {
				continue
			}
			values := make([]types.Value, len(t.Fields))
			if members[i].column >= 0 {
				v, err := members[i].read(m.Get(members[i].fd))
				if err != nil {
					return types.Null, err
				}
				values[members[i].column] = v
			}
			return types.StructValue(values), nil
		}
		return types.Null, nil
	}, nil
}

// entries reads a map, of either form.
func (rm readerMaker) entries(fd protoreflect.FieldDescriptor, t *types.Type, path string, depth int) (func(protoreflect.Message) (types.Value, error), error) {
	keyField, valueField := fd.Message().Fields().Get(0), fd.Message().Fields().Get(1)
	key, err := rm.single(keyField, t.Key, path+"->MAP_KEY", depth)
	if err != nil {
		return nil, err
	}
	value, err := rm.single(valueField, t.Elem, path+"->MAP_VAL", depth)
	if err != nil {
		return nil, err
	}
	return func(m protoreflect.Message) (types.Value, error) {
		var entries serde.Entries
		add := func(k, v protoreflect.Value, present bool) error {
			text, err := key(k)
			if err != nil {
				return err
			}
			entry := types.Null
			if present {
				if entry, err = value(v); err != nil {
					return err
				}
			}
			entries.Add(text, entry)
			return nil
		}
		if fd.IsMap() {
			var rangeErr error
			m.Get(fd).Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				rangeErr = add(k.Value(), v, true)
				return rangeErr == nil
			})
			if rangeErr != nil {
				return types.Null, rangeErr
			}
			entries.Sort()
			return entries.Map(false), nil
		}
		list := m.Get(fd).List()
		for i := range list.Len() {
			e := list.Get(i).Message()
			if err := add(e.Get(keyField), e.Get(valueField), !valueField.HasPresence() || e.Has(valueField)); err != nil {
				return types.Null, err
			}
		}
		return entries.Map(false), nil
	}, nil
}

// single makes a reader of one value of a field.
func (rm readerMaker) single(fd protoreflect.FieldDescriptor, t *types.Type, path string, depth int) (func(protoreflect.Value) (types.Value, error), error) {
	s, err := singleSchema(fd, rm.nullable, depth)
	if err != nil {
		return nil, err
	}
	if err := connect.Readable(s, t, path); err != nil {
		return func(protoreflect.Value) (types.Value, error) { return types.Null, err }, nil
	}
	text := t.Kind == types.KindString
	integer := func(i int64) (types.Value, error) {
		if text {
			return types.StringValue(strconv.FormatInt(i, 10)), nil
		}
		return types.IntValue(i), nil
	}
	float := func(f float64) (types.Value, error) {
		if text {
			return types.StringValue(string(types.AppendDouble(nil, f))), nil
		}
		return types.DoubleValue(f), nil
	}
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return func(v protoreflect.Value) (types.Value, error) {
			if text {
				return types.StringValue(strconv.FormatBool(v.Bool())), nil
			}
			return types.BoolValue(v.Bool()), nil
		}, nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind,
		protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return func(v protoreflect.Value) (types.Value, error) { return integer(v.Int()) }, nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return func(v protoreflect.Value) (types.Value, error) { return integer(int64(v.Uint())) }, nil
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return func(v protoreflect.Value) (types.Value, error) { return float(v.Float()) }, nil
	case protoreflect.StringKind:
		return func(v protoreflect.Value) (types.Value, error) { return types.StringValue(validText(v.String())), nil }, nil
	case protoreflect.EnumKind:
		values := fd.Enum().Values()
		return func(v protoreflect.Value) (types.Value, error) {
			if d := values.ByNumber(v.Enum()); d != nil {
				return types.StringValue(string(d.Name())), nil
			}
			return types.StringValue(fmt.Sprintf("UNKNOWN_ENUM_VALUE_%s_%d", fd.Enum().Name(), v.Enum())), nil
		}, nil
	case protoreflect.BytesKind:
		return func(v protoreflect.Value) (types.Value, error) {
			return types.BytesValue(append([]byte{}, v.Bytes()...)), nil
		}, nil
	}
	return rm.singleMessage(fd, t, path, depth, integer)
}

func (rm readerMaker) singleMessage(fd protoreflect.FieldDescriptor, t *types.Type, path string, depth int, integer func(int64) (types.Value, error)) (func(protoreflect.Value) (types.Value, error), error) {
	m := fd.Message()
	if known := knownReader(m, t, integer); known != nil {
		return func(v protoreflect.Value) (types.Value, error) { return known(v.Message()) }, nil
	}
	if inner := wrapped(fd, rm.nullable); inner != nil {
		read, err := rm.single(inner, t, path, depth)
		if err != nil {
			return nil, err
		}
		return func(v protoreflect.Value) (types.Value, error) { return read(v.Message().Get(inner)) }, nil
	}
	r, err := rm.message(m, t, path, depth)
	if err != nil {
		return nil, err
	}
	return func(v protoreflect.Value) (types.Value, error) { return r.read(v.Message()) }, nil
}

// knownReader reads the messages that stand for SQL types, nil for others.
func knownReader(m protoreflect.MessageDescriptor, t *types.Type, integer func(int64) (types.Value, error)) func(protoreflect.Message) (types.Value, error) {
	fields := m.Fields()
	number := func(msg protoreflect.Message, name protoreflect.Name) int64 {
		return msg.Get(fields.ByName(name)).Int()
	}
	switch m.FullName() {
	case timestampMessage:
		return func(msg protoreflect.Message) (types.Value, error) {
			return integer(number(msg, "seconds")*1000 + number(msg, "nanos")/1e6)
		}
	case dateMessage:
		return func(msg protoreflect.Message) (types.Value, error) {
			day := time.Date(int(number(msg, "year")), time.Month(number(msg, "month")), int(number(msg, "day")), 0, 0, 0, 0, time.UTC)
			return integer(day.Unix() / (millisPerDay / 1000))
		}
	case timeMessage:
		return func(msg protoreflect.Message) (types.Value, error) {
			seconds := number(msg, "hours")*3600 + number(msg, "minutes")*60 + number(msg, "seconds")
			return integer(seconds*1000 + number(msg, "nanos")/1e6)
		}
	case decimalMessage:
		return func(msg protoreflect.Message) (types.Value, error) {
			unscaled := msg.Get(fields.ByName("value")).Bytes()
			if len(unscaled) > maxUnscaled {
				return types.Null, fmt.Errorf("a decimal has %d bytes: at most %d are read", len(unscaled), maxUnscaled)
			}
			d := types.DecimalFromUnscaled(unscaled, int(number(msg, "scale")))
			d, err := types.FitDecimal(d, t.Precision, t.Scale)
			if err != nil {
				return types.Null, err
			}
			return types.DecimalValue(d), nil
		}
	default:
		return nil
	}
}

func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
