package convert

import (
	"math/big"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// protobufValues turns Connect's values into Protobuf's.
type protobufValues struct{ scrub bool }

func (p protobufValues) name(name string) protoreflect.Name {
	if p.scrub {
		name = scrubProtobuf(name)
	}
	return protoreflect.Name(name)
}

// fill puts a struct into a message; what is null is left out.
func (p protobufValues) fill(m protoreflect.Message, s *data.Struct) error {
	for i, f := range s.Schema.Fields {
		v := s.Values[i]
		if v == nil && f.Schema.HasDefault {
			v = f.Schema.Default
		}
		if v == nil {
			continue
		}
		name, schema := p.name(f.Name), f.Schema
		if isProtobufUnion(schema) {
			var err error
			if name, schema, v, err = p.chosenOf(v); err != nil {
				return err
			}
		}
		fd := m.Descriptor().Fields().ByName(name)
		if fd == nil {
			return fault.New(fault.Data, "Cannot find field with name %s", name)
		}
		value, err := p.toProtobuf(fd, schema, v)
		if err != nil {
			return err
		}
		m.Set(fd, value)
	}
	return nil
}

// chosenOf gives the member of a union that is set.
func (p protobufValues) chosenOf(v any) (protoreflect.Name, *data.Schema, any, error) {
	if union, ok := v.(*data.Struct); ok {
		for i, f := range union.Schema.Fields {
			if union.Values[i] != nil {
				return p.name(f.Name), f.Schema, union.Values[i], nil
			}
		}
	}
	return "", nil, nil, fault.New(fault.Data, "Cannot find non-null field")
}

func (p protobufValues) toProtobuf(fd protoreflect.FieldDescriptor, s *data.Schema, v any) (protoreflect.Value, error) {
	switch v := v.(type) {
	case []any:
		list := dynamicpb.NewMessage(fd.ContainingMessage()).NewField(fd).List()
		for _, e := range v {
			if e == nil {
				return protoreflect.Value{}, fault.New(fault.NullPointer, "a null in a list can't be written as Protobuf")
			}
			value, err := p.one(fd, s.Value, e)
			if err != nil {
				return protoreflect.Value{}, err
			}
			list.Append(value)
		}
		return protoreflect.ValueOfList(list), nil
	case *data.Map:
		list := dynamicpb.NewMessage(fd.ContainingMessage()).NewField(fd).List()
		for i := range v.Keys {
			entry := dynamicpb.NewMessage(fd.Message())
			if err := p.entry(entry, "key", s.Key, v.Keys[i]); err != nil {
				return protoreflect.Value{}, err
			}
			if err := p.entry(entry, "value", s.Value, v.Values[i]); err != nil {
				return protoreflect.Value{}, err
			}
			list.Append(protoreflect.ValueOfMessage(entry))
		}
		return protoreflect.ValueOfList(list), nil
	default:
		return p.one(fd, s, v)
	}
}

func (p protobufValues) entry(entry *dynamicpb.Message, name protoreflect.Name, s *data.Schema, v any) error {
	if v == nil {
		return nil
	}
	fd := entry.Descriptor().Fields().ByName(name)
	value, err := p.toProtobuf(fd, s, v)
	if err == nil {
		entry.Set(fd, value)
	}
	return err
}

// one turns a value that is no list and no map.
func (p protobufValues) one(fd protoreflect.FieldDescriptor, s *data.Schema, v any) (protoreflect.Value, error) {
	mismatch := func() (protoreflect.Value, error) {
		return protoreflect.Value{}, fault.New(fault.Data, "Invalid type for %s: %T", s, v)
	}
	switch v := v.(type) {
	case *data.Struct:
		if fd.Message() == nil {
			return mismatch()
		}
		m := dynamicpb.NewMessage(fd.Message())
		return protoreflect.ValueOfMessage(m), p.fill(m, v)
	case data.Decimal:
		return message(fd, map[protoreflect.Name]protoreflect.Value{
			"value":     protoreflect.ValueOfBytes(bigBytes(v.Unscaled)),
			"precision": protoreflect.ValueOfUint32(uint32(len(new(big.Int).Abs(v.Unscaled).String()))), //nolint:gosec // a count of digits
			"scale":     protoreflect.ValueOfInt32(int32(v.Scale)),                                      //nolint:gosec // small
		}), nil
	case time.Time:
		return logicalMessage(fd, s, v)
	case string:
		if fd.Kind() != protoreflect.EnumKind {
			return protoreflect.ValueOfString(v), nil
		}
		value := fd.Enum().Values().ByName(protoreflect.Name(v))
		if value == nil {
			return protoreflect.Value{}, fault.New(fault.Data, "the enum %s has no value %s", fd.Enum().Name(), v)
		}
		return protoreflect.ValueOfEnum(value.Number()), nil
	case bool:
		return protoreflect.ValueOfBool(v), nil
	case []byte:
		return protoreflect.ValueOfBytes(v), nil
	case float32:
		return protoreflect.ValueOfFloat32(v), nil
	case float64:
		return protoreflect.ValueOfFloat64(v), nil
	case int8:
		return number(fd, int64(v)), nil
	case int16:
		return number(fd, int64(v)), nil
	case int32:
		return number(fd, int64(v)), nil
	case int64:
		return number(fd, v), nil
	default:
		return mismatch()
	}
}

// number is a whole number in the Go type of a field; as in Java, the lower bits.
func number(fd protoreflect.FieldDescriptor, n int64) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)) //nolint:gosec // as Java
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(n)) //nolint:gosec // as Java
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(n)) //nolint:gosec // as Java
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(n)) //nolint:gosec // as Java
	default:
		return protoreflect.ValueOfInt64(n)
	}
}

func message(fd protoreflect.FieldDescriptor, values map[protoreflect.Name]protoreflect.Value) protoreflect.Value {
	m := dynamicpb.NewMessage(fd.Message())
	for name, v := range values {
		m.Set(fd.Message().Fields().ByName(name), v)
	}
	return protoreflect.ValueOfMessage(m)
}

func logicalMessage(fd protoreflect.FieldDescriptor, s *data.Schema, t time.Time) (protoreflect.Value, error) {
	if err := checkDate(s, t); err != nil {
		return protoreflect.Value{}, err
	}
	small := func(n int) protoreflect.Value { return protoreflect.ValueOfInt32(int32(n)) } //nolint:gosec // part of a date
	millis := t.UTC().Truncate(time.Millisecond)
	switch s.Name {
	case data.DateName:
		return message(fd, map[protoreflect.Name]protoreflect.Value{"year": small(millis.Year()), "month": small(int(millis.Month())), "day": small(millis.Day())}), nil
	case data.TimeName:
		return message(fd, map[protoreflect.Name]protoreflect.Value{"hours": small(millis.Hour()), "minutes": small(millis.Minute()),
			"seconds": small(millis.Second()), "nanos": small(millis.Nanosecond())}), nil
	default:
		return message(fd, map[protoreflect.Name]protoreflect.Value{"seconds": protoreflect.ValueOfInt64(millis.Unix()), "nanos": small(millis.Nanosecond())}), nil
	}
}

// structFromProtobuf reads a message. A field without presence that is not there has
// its zero value.
func structFromProtobuf(s *data.Schema, m protoreflect.Message) (*data.Struct, error) {
	st := data.NewStruct(s)
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		into, name := st, string(fd.Name())
		if oneof := realOneof(fd); oneof != nil {
			if !m.Has(fd) {
				continue
			}
			at := s.FieldIndex(unionFieldName(oneof))
			into = data.NewStruct(s.Fields[at].Schema)
			st.Values[at] = into
		} else if fd.HasPresence() && !m.Has(fd) {
			continue
		}
		at := into.Schema.FieldIndex(name)
		v, err := fromProtobuf(fd, into.Schema.Fields[at].Schema, m.Get(fd))
		if err != nil {
			return nil, err
		}
		into.Values[at] = v
	}
	return st, nil
}

func fromProtobuf(fd protoreflect.FieldDescriptor, s *data.Schema, v protoreflect.Value) (any, error) {
	switch {
	case fd.IsMap():
		out := &data.Map{}
		var failed error
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			var key, value any
			if key, failed = oneFromProtobuf(fd.MapKey(), s.Key, k.Value()); failed != nil {
				return false
			}
			value, failed = oneFromProtobuf(fd.MapValue(), s.Value, v)
			out.Put(key, value)
			return failed == nil
		})
		out.SortAsHashMap()
		return out, failed
	case fd.IsList() && s.Type == data.MapType:
		out := &data.Map{}
		for i := range v.List().Len() {
			entry := v.List().Get(i).Message()
			fields := entry.Descriptor().Fields()
			key, err := fromProtobuf(fields.Get(0), s.Key, entry.Get(fields.Get(0)))
			if err != nil {
				return nil, err
			}
			value, err := fromProtobuf(fields.Get(1), s.Value, entry.Get(fields.Get(1)))
			if err != nil {
				return nil, err
			}
			out.Put(key, value)
		}
		out.SortAsHashMap()
		return out, nil
	case fd.IsList():
		list := make([]any, v.List().Len())
		for i := range list {
			var err error
			if list[i], err = oneFromProtobuf(fd, s.Value, v.List().Get(i)); err != nil {
				return nil, err
			}
		}
		return list, nil
	default:
		return oneFromProtobuf(fd, s, v)
	}
}

func oneFromProtobuf(fd protoreflect.FieldDescriptor, s *data.Schema, v protoreflect.Value) (any, error) {
	switch raw := v.Interface().(type) {
	case protoreflect.Message:
		return messageFromProtobuf(s, raw)
	case protoreflect.EnumNumber:
		if value := fd.Enum().Values().ByNumber(raw); value != nil {
			return string(value.Name()), nil
		}
		return nil, fault.New(fault.Data, "the enum %s has no value with the number %d", fd.Enum().Name(), raw)
	case int32:
		return ofType(s.Type, int64(raw)), nil
	case uint32:
		return int64(raw), nil
	case uint64:
		return int64(raw), nil //nolint:gosec // as Java
	default:
		return raw, nil
	}
}

func messageFromProtobuf(s *data.Schema, m protoreflect.Message) (any, error) {
	part := func(name protoreflect.Name) protoreflect.Value { return m.Get(m.Descriptor().Fields().ByName(name)) }
	switch m.Descriptor().FullName() {
	case decimalMessage:
		return data.Decimal{Unscaled: bigFromBytes(part("value").Bytes()), Scale: int(part("scale").Int())}, nil
	case dateMessage:
		return time.Date(int(part("year").Int()), time.Month(part("month").Int()), int(part("day").Int()), 0, 0, 0, 0, time.UTC), nil
	case timeMessage:
		return time.Unix(part("hours").Int()*3600+part("minutes").Int()*60+part("seconds").Int(), part("nanos").Int()).UTC().Truncate(time.Millisecond), nil
	case timestampMessage:
		return time.Unix(part("seconds").Int(), part("nanos").Int()).UTC().Truncate(time.Millisecond), nil
	default:
		return structFromProtobuf(s, m)
	}
}
