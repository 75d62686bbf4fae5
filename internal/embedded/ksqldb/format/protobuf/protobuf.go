// Package protobuf is ksqlDB's PROTOBUF format, which keeps its schemas in the
// registry, and PROTOBUF_NOSR, which has none and reads by the columns alone.
// Schemas are compiled by github.com/bufbuild/protocompile, messages coded by
// google.golang.org/protobuf.
//
// Invariants: a Serde is safe for concurrent use; schemas are fetched once per
// id. Scalars can't be NULL unless Nullable says how: a NULL is written as
// nothing and read as the type's default.
package protobuf

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const headerSize = 5

// Config says what a Serde reads and writes.
type Config struct {
	Columns []types.Column
	// Unwrapped is set when the only column is written without a record around
	// it, which only PROTOBUF_NOSR does.
	Unwrapped bool
	Topic     string
	// Subject is where the generated schema is registered on the first write.
	Subject string
	// FullName names the message that is written, or picks one of the schema.
	FullName string
	Nullable Nullable
	// SchemaID is the schema to write with instead of the generated one.
	SchemaID *int
	// NoRegistry is PROTOBUF_NOSR: no header, no schemas.
	NoRegistry bool
}

// Serde writes and reads rows as Protobuf messages.
type Serde struct {
	cfg Config
	reg registry.Registry
	row *types.Type

	text    string                         // the generated schema
	message protoreflect.MessageDescriptor // what is written
	header  []byte                         // message indexes of what is written
	writer  *writer
	bare    func(protoreflect.Message) (types.Value, error)

	plain *structReader // NoRegistry alone
	plans sync.Map      // planKey → *structReader and descriptor

	mu sync.Mutex   // held while the generated schema is registered
	id atomic.Int64 // id of the schema that is written with, 0 before
}

// New makes a Serde. With a SchemaID the schema is fetched and compared with
// the columns now.
func New(ctx context.Context, cfg Config, reg registry.Registry) (*Serde, error) {
	s := &Serde{cfg: cfg, reg: reg, row: serde.RowType(cfg.Columns)}
	if cfg.Unwrapped && cfg.Columns[0].Type.Kind == types.KindStruct {
		s.row = cfg.Columns[0].Type
	} else if cfg.Unwrapped {
		s.row = types.StructOf(types.Field{Name: "value", Type: cfg.Columns[0].Type})
	}
	schema := registry.Schema{Type: registry.TypeProtobuf}
	var err error
	if cfg.SchemaID != nil {
		if schema, err = reg.SchemaByID(ctx, *cfg.SchemaID); err != nil {
			return nil, &serde.Error{
				Message: fmt.Sprintf("Failed to fetch schema for serialization from Schema Registry using schema id: %d", *cfg.SchemaID),
				Cause:   err,
			}
		}
		s.id.Store(int64(*cfg.SchemaID))
	} else if s.text, err = SchemaText(s.row, cfg.FullName, cfg.Nullable); err != nil {
		return nil, err
	} else {
		schema.Text = s.text
	}
	file, err := compile(ctx, reg, schema)
	if err != nil {
		return nil, err
	}
	name := ""
	if cfg.SchemaID != nil {
		name = cfg.FullName
	}
	if s.message, err = messageNamed(file, name); err != nil {
		return nil, err
	}
	if err := covers(s.message, s.row); err != nil {
		return nil, err
	}
	s.header = appendIndexes(nil, indexesOf(s.message))
	s.writer = newWriter(s.message)
	return s, s.prepareBare()
}

// prepareBare makes what PROTOBUF_NOSR reads with. Its unwrapped columns are
// the message of their type: a decimal is a Decimal, a STRUCT its own message,
// other scalars stand in a message with one field.
func (s *Serde) prepareBare() error {
	if !s.cfg.NoRegistry {
		return nil
	}
	maker := readerMaker{s.cfg.Nullable}
	if s.cfg.Unwrapped && s.cfg.Columns[0].Type.Kind != types.KindStruct {
		fd := s.message.Fields().Get(0)
		t := s.cfg.Columns[0].Type
		if fd.Kind() == protoreflect.MessageKind && !fd.IsList() && !isEntry(fd) && wrapped(fd, s.cfg.Nullable) == nil {
			s.message = fd.Message()
			s.bare = knownReader(s.message, t, func(i int64) (types.Value, error) { return types.IntValue(i), nil })
			return nil
		}
	}
	var err error
	s.plain, err = maker.message(s.message, s.row, "", 0)
	return err
}

// SchemaText is the schema that ksqlDB generates for the row.
func (s *Serde) SchemaText() string { return s.text }

// Serialize implements serde.Serde.
func (s *Serde) Serialize(dst []byte, values []types.Value) ([]byte, error) {
	if values == nil {
		return nil, nil
	}
	if len(values) != len(s.cfg.Columns) {
		return nil, &serde.Error{Message: fmt.Sprintf("Column count mismatch on serialization. topic: %s, expected: %d, got: %d", s.cfg.Topic, len(s.cfg.Columns), len(values))}
	}
	if s.cfg.Unwrapped && values[0].IsNull() {
		return nil, nil
	}
	out, err := s.serialize(dst, values)
	if err != nil {
		return nil, &serde.Error{
			Message: fmt.Sprintf("Error serializing message to topic: %s. %s\nHint: You probably forgot to add VALUE_SCHEMA_ID when creating the source.", s.cfg.Topic, err),
			Cause:   err,
		}
	}
	if out == nil {
		out = []byte{}
	}
	return out, nil
}

func (s *Serde) serialize(dst []byte, values []types.Value) ([]byte, error) {
	m := newMessage(s.message)
	if err := s.fill(m, values); err != nil {
		return nil, err
	}
	if !s.cfg.NoRegistry {
		id, err := s.schemaID()
		if err != nil {
			return nil, err
		}
		dst = append(dst, 0)
		dst = binary.BigEndian.AppendUint32(dst, uint32(id))
		dst = append(dst, s.header...)
	}
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, m.Interface())
}

func (s *Serde) fill(m protoreflect.Message, values []types.Value) error {
	if !s.cfg.Unwrapped {
		return s.writer.message(m, s.row, values)
	}
	switch t := s.cfg.Columns[0].Type; {
	case t.Kind == types.KindArray || t.Kind == types.KindMap:
		return fmt.Errorf("Unsupported object of type %s", t)
	case s.bare != nil || t.Kind == types.KindStruct:
		return s.writer.singleMessage(m, t, values[0])
	default:
		return s.writer.message(m, s.row, values)
	}
}

// schemaID registers the generated schema on the first call that succeeds.
func (s *Serde) schemaID() (int64, error) {
	if id := s.id.Load(); id != 0 {
		return id, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := s.id.Load(); id != 0 {
		return id, nil
	}
	id, err := s.reg.Register(context.Background(), s.cfg.Subject, registry.Schema{Type: registry.TypeProtobuf, Text: s.text})
	if err != nil {
		return 0, fmt.Errorf("Failed to serialize Protobuf data from topic %s : %w", s.cfg.Topic, err)
	}
	s.id.Store(int64(id))
	return int64(id), nil
}

// Deserialize implements serde.Serde.
func (s *Serde) Deserialize(data []byte) ([]types.Value, error) {
	if data == nil {
		return nil, nil
	}
	v, err := s.deserialize(data)
	if err != nil {
		return nil, &serde.Error{Message: "Error deserializing message from topic: " + s.cfg.Topic, Cause: err}
	}
	if !s.cfg.Unwrapped {
		return v.Elems(), nil
	}
	if s.bare == nil && s.cfg.Columns[0].Type.Kind != types.KindStruct {
		v = v.Elems()[0]
	}
	return []types.Value{v}, nil
}

func (s *Serde) deserialize(data []byte) (types.Value, error) {
	if s.cfg.NoRegistry {
		m := newMessage(s.message)
		if err := proto.Unmarshal(data, m.Interface()); err != nil {
			return types.Null, err
		}
		if s.bare != nil {
			return s.bare(m)
		}
		return s.plain.read(m)
	}
	if len(data) < headerSize || data[0] != 0 {
		return types.Null, errors.New("Unknown magic byte!")
	}
	id := int(binary.BigEndian.Uint32(data[1:headerSize]))
	indexes, payload, err := takeIndexes(data[headerSize:])
	if err != nil {
		return types.Null, err
	}
	p, err := s.plan(id, indexes)
	if err != nil {
		return types.Null, fmt.Errorf("Error retrieving Protobuf schema for id %d: %w", id, err)
	}
	m := newMessage(p.message)
	if err := proto.Unmarshal(payload, m.Interface()); err != nil {
		return types.Null, fmt.Errorf("Error deserializing Protobuf message for id %d: %w", id, err)
	}
	return p.reader.read(m)
}

type planKey struct {
	id      int
	indexes string
}

type readPlan struct {
	message protoreflect.MessageDescriptor
	reader  *structReader
}

func (s *Serde) plan(id int, indexes []int) (*readPlan, error) {
	key := planKey{id, fmt.Sprint(indexes)}
	if p, ok := s.plans.Load(key); ok {
		return p.(*readPlan), nil
	}
	ctx := context.Background()
	schema, err := s.reg.SchemaByID(ctx, id)
	if err != nil {
		return nil, err
	}
	if schema.Type != registry.TypeProtobuf {
		return nil, fmt.Errorf("schema %d is of type %s, not PROTOBUF", id, schema.Type)
	}
	file, err := compile(ctx, s.reg, schema)
	if err != nil {
		return nil, err
	}
	p := &readPlan{}
	if p.message, err = messageAt(file, indexes); err != nil {
		return nil, err
	}
	if p.reader, err = (readerMaker{s.cfg.Nullable}).message(p.message, s.row, "", 0); err != nil {
		return nil, err
	}
	s.plans.Store(key, p)
	return p, nil
}

// maxIndexes bounds the depth of a message within its file.
const maxIndexes = maxNesting

// appendIndexes writes the way to a message: the number of steps and the steps,
// zigzag varints. The first message of the file is a single zero.
func appendIndexes(dst []byte, indexes []int) []byte {
	if len(indexes) == 1 && indexes[0] == 0 {
		return append(dst, 0)
	}
	dst = binary.AppendVarint(dst, int64(len(indexes)))
	for _, i := range indexes {
		dst = binary.AppendVarint(dst, int64(i))
	}
	return dst
}

func takeIndexes(data []byte) ([]int, []byte, error) {
	count, n := binary.Varint(data)
	if n <= 0 || count < 0 || count > maxIndexes {
		return nil, nil, errors.New("the record's message indexes can't be read")
	}
	data = data[n:]
	if count == 0 {
		return []int{0}, data, nil
	}
	indexes := make([]int, count)
	for i := range indexes {
		index, n := binary.Varint(data)
		if n <= 0 || index < 0 || index > 1<<30 {
			return nil, nil, errors.New("the record's message indexes can't be read")
		}
		indexes[i] = int(index)
		data = data[n:]
	}
	return indexes, data, nil
}
