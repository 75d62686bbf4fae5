package protobuf

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// writer writes into messages of one schema. It knows the members of all its
// messages beforehand.
type writer struct {
	members map[protoreflect.FullName][]field
}

func newWriter(m protoreflect.MessageDescriptor) *writer {
	w := &writer{members: map[protoreflect.FullName][]field{}}
	w.add(m)
	return w
}

func (w *writer) add(m protoreflect.MessageDescriptor) {
	if _, known := w.members[m.FullName()]; known {
		return
	}
	w.members[m.FullName()] = fieldsOf(m)
	for i := range m.Fields().Len() {
		if inner := m.Fields().Get(i).Message(); inner != nil {
			w.add(inner)
		}
	}
}

// message puts the members of a row or STRUCT into a message. NULL leaves a
// field unset.
func (w *writer) message(m protoreflect.Message, t *types.Type, values []types.Value) error {
	for _, f := range w.members[m.Descriptor().FullName()] {
		column := t.FieldIndex(f.name)
		if column < 0 || values[column].IsNull() {
			continue
		}
		if err := w.field(m, f, t.Fields[column].Type, values[column]); err != nil {
			return fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	return nil
}

// covers checks that the message has a field for each column.
func covers(m protoreflect.MessageDescriptor, t *types.Type) error {
	names := map[string]bool{}
	for _, f := range fieldsOf(m) {
		names[f.name] = true
	}
	for _, c := range t.Fields {
		if !names[c.Name] {
			return fmt.Errorf("Schema from Schema Registry misses field with name: %s", c.Name)
		}
	}
	return nil
}

var errMapInArray = errors.New("an ARRAY of MAP has no representation in Protobuf")

func (w *writer) field(m protoreflect.Message, f field, t *types.Type, v types.Value) error {
	if f.fd == nil {
		return w.oneof(m, f, t, v)
	}
	fd := f.fd
	switch {
	case t.Kind == types.KindMap && isEntry(fd):
		return w.entries(m, fd, t, v.Map())
	case t.Kind == types.KindArray && fd.IsList():
		if t.Elem.Kind == types.KindMap {
			if len(v.Elems()) > 0 {
				return errMapInArray
			}
			return nil
		}
		list := m.Mutable(fd).List()
		for _, e := range v.Elems() {
			if e.IsNull() {
				return errors.New("an array with a NULL element has no representation in Protobuf")
			}
			value, err := w.single(fd, list.NewElement(), t.Elem, e)
			if err != nil {
				return err
			}
			list.Append(value)
		}
		return nil
	case fd.IsList() || fd.IsMap():
		return fmt.Errorf("a column of type %s can't be written to it", t)
	default:
		value, err := w.single(fd, m.NewField(fd), t, v)
		if err != nil {
			return err
		}
		m.Set(fd, value)
		return nil
	}
}

// oneof sets the member of a oneof that isn't NULL.
func (w *writer) oneof(m protoreflect.Message, f field, t *types.Type, v types.Value) error {
	if t.Kind != types.KindStruct {
		return fmt.Errorf("a column of type %s can't be written to a oneof", t)
	}
	for _, fd := range f.oneof {
		i := t.FieldIndex(string(fd.Name()))
		if i < 0 || v.Elems()[i].IsNull() {
			continue
		}
		value, err := w.single(fd, m.NewField(fd), t.Fields[i].Type, v.Elems()[i])
		if err != nil {
			return err
		}
		m.Set(fd, value)
		return nil
	}
	return nil
}

func (w *writer) entries(m protoreflect.Message, fd protoreflect.FieldDescriptor, t *types.Type, entries *types.MapValue) error {
	keyField, valueField := fd.Message().Fields().Get(0), fd.Message().Fields().Get(1)
	for i, k := range entries.Keys {
		if fd.IsMap() {
			out := m.Mutable(fd).Map()
			key, err := w.single(keyField, protoreflect.ValueOfString(""), t.Key, k)
			if err != nil {
				return err
			}
			if entries.Values[i].IsNull() {
				return errors.New("a map with a NULL value has no representation in a Protobuf map")
			}
			value, err := w.single(valueField, out.NewValue(), t.Elem, entries.Values[i])
			if err != nil {
				return err
			}
			out.Set(key.MapKey(), value)
			continue
		}
		list := m.Mutable(fd).List()
		entry := list.NewElement()
		pair := types.StructOf(types.Field{Name: "key", Type: t.Key}, types.Field{Name: "value", Type: t.Elem})
		if err := w.message(entry.Message(), pair, []types.Value{k, entries.Values[i]}); err != nil {
			return err
		}
		list.Append(entry)
	}
	return nil
}

// single makes a value for a field. room is a new, empty value of the field's
// type, which messages are written into.
func (w *writer) single(fd protoreflect.FieldDescriptor, room protoreflect.Value, t *types.Type, v types.Value) (protoreflect.Value, error) {
	wrong := func() (protoreflect.Value, error) {
		return room, fmt.Errorf("a column of type %s can't be written to a field of type %s", t, fd.Kind())
	}
	integer := t.Kind == types.KindInteger || t.Kind == types.KindBigint
	switch fd.Kind() {
	case protoreflect.BoolKind:
		if t.Kind == types.KindBoolean {
			return protoreflect.ValueOfBool(v.Bool()), nil
		}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		if integer {
			return protoreflect.ValueOfInt32(int32(v.Int())), nil
		}
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		if integer {
			return protoreflect.ValueOfInt64(v.Int()), nil
		}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		if integer {
			return protoreflect.ValueOfUint32(uint32(v.Int())), nil
		}
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		if integer {
			return protoreflect.ValueOfUint64(uint64(v.Int())), nil
		}
	case protoreflect.FloatKind:
		if t.Kind == types.KindDouble {
			return protoreflect.ValueOfFloat32(float32(v.Double())), nil
		}
	case protoreflect.DoubleKind:
		if t.Kind == types.KindDouble {
			return protoreflect.ValueOfFloat64(v.Double()), nil
		}
	case protoreflect.StringKind:
		if t.Kind == types.KindString {
			return protoreflect.ValueOfString(validText(v.Str())), nil
		}
	case protoreflect.BytesKind:
		if t.Kind == types.KindBytes {
			return protoreflect.ValueOfBytes(v.Bytes()), nil
		}
	case protoreflect.EnumKind:
		if t.Kind == types.KindString {
			d := fd.Enum().Values().ByName(protoreflect.Name(v.Str()))
			if d == nil {
				return room, fmt.Errorf("enum %s has no value %q", fd.Enum().FullName(), v.Str())
			}
			return protoreflect.ValueOfEnum(d.Number()), nil
		}
	default:
		return room, w.singleMessage(room.Message(), t, v)
	}
	return wrong()
}

// singleMessage writes a STRUCT, a value that has a message of its own, or
// a value into its wrapper.
func (w *writer) singleMessage(m protoreflect.Message, t *types.Type, v types.Value) error {
	fields := m.Descriptor().Fields()
	if t.Kind == types.KindStruct {
		return w.message(m, t, v.Elems())
	}
	name := m.Descriptor().FullName()
	switch {
	case t.Kind == types.KindDecimal && name == decimalMessage:
		d := v.Decimal()
		m.Set(fields.ByName("value"), protoreflect.ValueOfBytes(types.UnscaledBytes(nil, d)))
		m.Set(fields.ByName("precision"), protoreflect.ValueOfUint32(uint32(d.NumDigits())))
		m.Set(fields.ByName("scale"), protoreflect.ValueOfInt32(-d.Exponent))
	case t.Kind == types.KindTimestamp && name == timestampMessage:
		seconds := floorDiv(v.Int(), 1000)
		m.Set(fields.ByName("seconds"), protoreflect.ValueOfInt64(seconds))
		m.Set(fields.ByName("nanos"), protoreflect.ValueOfInt32(int32(v.Int()-seconds*1000)*1e6))
	case t.Kind == types.KindDate && name == dateMessage:
		day := time.Unix(v.Int()*(millisPerDay/1000), 0).UTC()
		set32(m, "year", int64(day.Year()))
		set32(m, "month", int64(day.Month()))
		set32(m, "day", int64(day.Day()))
	case t.Kind == types.KindTime && name == timeMessage:
		millis := v.Int()
		set32(m, "hours", millis/3600000)
		set32(m, "minutes", millis/60000%60)
		set32(m, "seconds", millis/1000%60)
		set32(m, "nanos", millis%1000*1e6)
	case fields.Len() == 1 && fields.Get(0).Name() == "value":
		inner := fields.Get(0)
		value, err := w.single(inner, m.NewField(inner), t, v)
		if err != nil {
			return err
		}
		m.Set(inner, value)
	default:
		return fmt.Errorf("a column of type %s can't be written to a message %s", t, name)
	}
	return nil
}

func set32(m protoreflect.Message, name protoreflect.Name, n int64) {
	m.Set(m.Descriptor().Fields().ByName(name), protoreflect.ValueOfInt32(int32(n)))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func newMessage(d protoreflect.MessageDescriptor) protoreflect.Message {
	return dynamicpb.NewMessage(d)
}
