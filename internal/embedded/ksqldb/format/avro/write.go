package avro

import (
	"fmt"
	"reflect"
	"strconv"
	"unsafe"

	"github.com/twmb/avro"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// A writer puts SQL values into a Go value of a type that was made for one
// schema, from which the Avro library encodes. Like a reader it uses pointers
// for what may be null, and room within the record for their targets.
type writer struct {
	goType reflect.Type
	// write sets the value at p, which points to a zero goType. It isn't
	// called with NULL, except on a writer that is nullable.
	write    func(p unsafe.Pointer, v types.Value) error
	nullable bool
}

// newWriter makes a writer of the schema's type n for the SQL type t.
func newWriter(n *avro.SchemaNode, t *types.Type, path string) (*writer, error) {
	switch n.Type {
	case "union":
		branch, optional := soleBranch(n)
		if branch == nil {
			return unionWriter(n, t, path)
		}
		w, err := newWriter(branch, t, path)
		if err != nil || !optional {
			return w, err
		}
		return optionalWriter(w), nil
	case "record", "error":
		if t.Kind == types.KindStruct {
			return recordWriter(n, t, path)
		}
	case "array":
		if isMapEntry(n.Items) {
			if t.Kind == types.KindMap {
				return entriesWriter(n.Items, t, path)
			}
		} else if t.Kind == types.KindArray {
			return arrayWriter(n, t, path)
		}
	case "map":
		if t.Kind == types.KindMap {
			return mapWriter(n, t, path)
		}
	default:
		if w := leafWriter(n, t); w != nil {
			return w, nil
		}
	}
	return nil, fmt.Errorf("column %s of type %s can't be written as Avro %s", path, t, n.Type)
}

// optionalWriter writes a value that may be null, as a pointer to it. The
// target is allocated; records have room for it instead.
func optionalWriter(w *writer) *writer {
	return &writer{
		goType:   reflect.PointerTo(w.goType),
		nullable: true,
		write: func(p unsafe.Pointer, v types.Value) error {
			if v.IsNull() {
				return nil
			}
			room := reflect.New(w.goType).UnsafePointer()
			*(*unsafe.Pointer)(p) = room
			return w.write(room, v)
		},
	}
}

// required is the error for NULL where the schema wants a value.
func required(name string, n *avro.SchemaNode) error {
	kind := n.Type
	if s, err := shallow(n); err == nil {
		kind = s.Type.String()
	}
	return fmt.Errorf("Invalid value: null used for required field: %q, schema type: %s", name, upper(kind))
}

func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// fieldWriter writes one field of a record.
type fieldWriter struct {
	name    string
	column  int // -1 when no column has the field's name
	offset  uintptr
	room    uintptr // where the target of a nullable field lies
	hasRoom bool    // whether there is such room
	write   func(p unsafe.Pointer, v types.Value) error
	// missing is what happens for NULL and for a field without a column.
	missing func(p unsafe.Pointer) error
}

func recordWriter(n *avro.SchemaNode, t *types.Type, path string) (*writer, error) {
	var fields []reflect.StructField
	var writers []fieldWriter
	var positions []int
	for i := range n.Fields {
		f := &n.Fields[i]
		fw := fieldWriter{name: f.Name, column: columnOf(t, f.Name)}
		var goType, roomType reflect.Type
		if fw.column >= 0 {
			w, err := newWriter(&f.Type, t.Fields[fw.column].Type, path+"."+f.Name)
			if err != nil {
				return nil, err
			}
			goType, fw.write = w.goType, w.write
			if branch, optional := soleBranch(&f.Type); f.Type.Type == "union" && branch != nil && optional {
				inner, err := newWriter(branch, t.Fields[fw.column].Type, path+"."+f.Name)
				if err != nil {
					return nil, err
				}
				roomType, fw.write, fw.hasRoom = inner.goType, inner.write, true
			}
		} else {
			goType = anyType
		}
		fw.missing = missing(f, goType, fw.column >= 0)
		positions = append(positions, len(fields))
		name := strconv.Itoa(i)
		fields = append(fields, reflect.StructField{Name: "F" + name, Type: goType, Tag: reflect.StructTag(`avro:` + strconv.Quote(f.Name))})
		if roomType != nil {
			fields = append(fields, reflect.StructField{Name: "R" + name, Type: roomType, Tag: `avro:"-"`})
		}
		writers = append(writers, fw)
	}
	for _, f := range t.Fields {
		if !hasColumn(n, f.Name) {
			return nil, fmt.Errorf("Schema from Schema Registry misses field with name: %s", f.Name)
		}
	}
	goType := reflect.StructOf(fields)
	for i := range writers {
		writers[i].offset = goType.Field(positions[i]).Offset
		if writers[i].hasRoom {
			writers[i].room = goType.Field(positions[i] + 1).Offset
		}
	}
	return &writer{goType: goType, write: func(p unsafe.Pointer, v types.Value) error {
		return writeRecord(writers, p, v.Elems())
	}}, nil
}

func writeRecord(writers []fieldWriter, p unsafe.Pointer, values []types.Value) error {
	for i := range writers {
		w := &writers[i]
		at := unsafe.Add(p, w.offset)
		if w.column < 0 || values[w.column].IsNull() {
			if err := w.missing(at); err != nil {
				return err
			}
			continue
		}
		if w.hasRoom {
			room := unsafe.Add(p, w.room)
			*(*unsafe.Pointer)(at) = room
			at = room
		}
		if err := w.write(at, values[w.column]); err != nil {
			return err
		}
	}
	return nil
}

// columnOf finds the column of a field. ksqlDB writes a dot in a column's name
// as an underscore.
func columnOf(t *types.Type, field string) int {
	if i := t.FieldIndex(field); i >= 0 {
		return i
	}
	for i, f := range t.Fields {
		if avroName(f.Name) == field {
			return i
		}
	}
	return -1
}

func hasColumn(n *avro.SchemaNode, column string) bool {
	for i := range n.Fields {
		if n.Fields[i].Name == column || n.Fields[i].Name == avroName(column) {
			return true
		}
	}
	return false
}

// missing says what is written for a field whose column is NULL or absent: the
// schema's default where it has one, else null where that is allowed, else it
// is an error.
func missing(f *avro.SchemaField, goType reflect.Type, hasColumn bool) func(p unsafe.Pointer) error {
	if f.HasDefault && f.Default != nil {
		def := reflect.ValueOf(f.Default)
		if goType == anyType {
			return func(p unsafe.Pointer) error { *(*any)(p) = def.Interface(); return nil }
		}
		target := goType
		if goType.Kind() == reflect.Pointer {
			target = goType.Elem()
		}
		if def.Type().ConvertibleTo(target) && def.Kind() == target.Kind() {
			def = def.Convert(target)
			return func(p unsafe.Pointer) error {
				v := reflect.NewAt(goType, p).Elem()
				if goType.Kind() == reflect.Pointer {
					v.Set(reflect.New(target))
					v = v.Elem()
				}
				v.Set(def)
				return nil
			}
		}
		return func(unsafe.Pointer) error {
			return fmt.Errorf("writing the default of field %q: defaults of type %s are not supported, give the column a value", f.Name, f.Type.Type)
		}
	}
	_, optional := soleBranch(&f.Type)
	if f.Type.Type == "union" && optional {
		return func(unsafe.Pointer) error { return nil }
	}
	if hasColumn {
		err := required(f.Name, &f.Type)
		return func(unsafe.Pointer) error { return err }
	}
	err := fmt.Errorf("Missing default value for required Avro field: [%s]. This field appears in Avro schema in Schema Registry", f.Name)
	return func(unsafe.Pointer) error { return err }
}

func arrayWriter(n *avro.SchemaNode, t *types.Type, path string) (*writer, error) {
	elem, err := newWriter(n.Items, t.Elem, path+"[]")
	if err != nil {
		return nil, err
	}
	sliceType := reflect.SliceOf(elem.goType)
	return &writer{goType: sliceType, write: func(p unsafe.Pointer, v types.Value) error {
		elems := v.Elems()
		slice := reflect.MakeSlice(sliceType, len(elems), len(elems))
		for i, e := range elems {
			if e.IsNull() && !elem.nullable {
				return required(path, n.Items)
			}
			if err := elem.write(slice.Index(i).Addr().UnsafePointer(), e); err != nil {
				return err
			}
		}
		reflect.NewAt(sliceType, p).Elem().Set(slice)
		return nil
	}}, nil
}

func mapWriter(n *avro.SchemaNode, t *types.Type, path string) (*writer, error) {
	elem, err := newWriter(n.Values, t.Elem, path+"{}")
	if err != nil {
		return nil, err
	}
	mapType := reflect.MapOf(stringType, elem.goType)
	return &writer{goType: mapType, write: func(p unsafe.Pointer, v types.Value) error {
		m := v.Map()
		out := reflect.MakeMapWithSize(mapType, len(m.Keys))
		for i, k := range m.Keys {
			if m.Values[i].IsNull() && !elem.nullable {
				return required(path, n.Values)
			}
			room := reflect.New(elem.goType)
			if err := elem.write(room.UnsafePointer(), m.Values[i]); err != nil {
				return err
			}
			out.SetMapIndex(reflect.ValueOf(k.Str()), room.Elem())
		}
		reflect.NewAt(mapType, p).Elem().Set(out)
		return nil
	}}, nil
}

// entriesWriter writes a map as an array of entries, in the map's order.
func entriesWriter(n *avro.SchemaNode, t *types.Type, path string) (*writer, error) {
	entry, err := recordWriter(n, types.StructOf(
		types.Field{Name: "key", Type: t.Key}, types.Field{Name: "value", Type: t.Elem},
	), path)
	if err != nil {
		return nil, err
	}
	sliceType := reflect.SliceOf(entry.goType)
	return &writer{goType: sliceType, write: func(p unsafe.Pointer, v types.Value) error {
		m := v.Map()
		slice := reflect.MakeSlice(sliceType, len(m.Keys), len(m.Keys))
		for i, k := range m.Keys {
			pair := types.StructValue([]types.Value{k, m.Values[i]})
			if err := entry.write(slice.Index(i).Addr().UnsafePointer(), pair); err != nil {
				return err
			}
		}
		reflect.NewAt(sliceType, p).Elem().Set(slice)
		return nil
	}}, nil
}

// unionWriter writes a STRUCT as a union of several types: its only member
// that isn't null is the branch.
func unionWriter(n *avro.SchemaNode, t *types.Type, path string) (*writer, error) {
	if t.Kind != types.KindStruct {
		return nil, fmt.Errorf("column %s of type %s can't be written as an Avro union of several types", path, t)
	}
	branches := map[string]*writer{}
	for i := range n.Branches {
		b := &n.Branches[i]
		if member := t.FieldIndex(branchName(b)); b.Type != "null" && member >= 0 {
			w, err := newWriter(b, t.Fields[member].Type, path+"."+branchName(b))
			if err != nil {
				return nil, err
			}
			branches[branchName(b)] = w
		}
	}
	_, optional := soleBranch(n)
	return &writer{goType: anyType, nullable: optional, write: func(p unsafe.Pointer, v types.Value) error {
		for i, member := range v.Elems() {
			if member.IsNull() {
				continue
			}
			name := t.Fields[i].Name
			w := branches[name]
			if w == nil {
				return fmt.Errorf("the union of %s has no branch %s", path, name)
			}
			room := reflect.New(w.goType)
			if err := w.write(room.UnsafePointer(), member); err != nil {
				return err
			}
			*(*any)(p) = map[string]any{name: room.Elem().Interface()}
			return nil
		}
		if !optional {
			return required(path, n)
		}
		return nil
	}}, nil
}

// leafWriter writes a type without members, or is nil when the SQL type isn't
// the one that ksqlDB infers for it.
func leafWriter(n *avro.SchemaNode, t *types.Type) *writer {
	switch {
	case n.Type == "boolean" && t.Kind == types.KindBoolean:
		return &writer{goType: boolType, write: func(p unsafe.Pointer, v types.Value) error { *(*bool)(p) = v.Bool(); return nil }}
	case n.Type == "int" && (t.Kind == types.KindInteger || t.Kind == types.KindDate || t.Kind == types.KindTime):
		return &writer{goType: int32Type, write: func(p unsafe.Pointer, v types.Value) error {
			if v.Int() != int64(int32(v.Int())) {
				return fmt.Errorf("%d is too large for an Avro int", v.Int())
			}
			*(*int32)(p) = int32(v.Int())
			return nil
		}}
	case n.Type == "long" && (t.Kind == types.KindBigint || t.Kind == types.KindTimestamp):
		return &writer{goType: int64Type, write: func(p unsafe.Pointer, v types.Value) error { *(*int64)(p) = v.Int(); return nil }}
	case n.Type == "double" && t.Kind == types.KindDouble:
		return &writer{goType: float64Type, write: func(p unsafe.Pointer, v types.Value) error { *(*float64)(p) = v.Double(); return nil }}
	case (n.Type == "string" || n.Type == "enum") && t.Kind == types.KindString:
		return &writer{goType: stringType, write: func(p unsafe.Pointer, v types.Value) error { *(*string)(p) = v.Str(); return nil }}
	case (n.Type == "bytes" || n.Type == "fixed") && n.LogicalType != "decimal" && t.Kind == types.KindBytes:
		return &writer{goType: bytesType, write: func(p unsafe.Pointer, v types.Value) error {
			b := v.Bytes()
			if b == nil {
				b = []byte{}
			}
			*(*[]byte)(p) = b
			return nil
		}}
	case (n.Type == "bytes" || n.Type == "fixed") && n.LogicalType == "decimal" && t.Kind == types.KindDecimal:
		return decimalWriter(n, t)
	default:
		return nil
	}
}

func decimalWriter(n *avro.SchemaNode, t *types.Type) *writer {
	return &writer{goType: bytesType, write: func(p unsafe.Pointer, v types.Value) error {
		d := v.Decimal()
		if int(d.Exponent) != -n.Scale {
			var err error
			if d, err = types.FitDecimal(d, max(n.Precision, t.Precision), n.Scale); err != nil {
				return err
			}
		}
		b := types.UnscaledBytes(nil, d)
		if n.Type == "fixed" {
			var err error
			if b, err = widen(b, n.Size); err != nil {
				return err
			}
		}
		*(*[]byte)(p) = b
		return nil
	}}
}

// widen extends a two's complement number to a fixed size.
func widen(b []byte, size int) ([]byte, error) {
	if len(b) > size {
		return nil, fmt.Errorf("a decimal of %d bytes doesn't fit a fixed of %d", len(b), size)
	}
	out := make([]byte, size)
	if b[0]&0x80 != 0 {
		for i := range out {
			out[i] = 0xFF
		}
	}
	copy(out[size-len(b):], b)
	return out, nil
}
