// Package avro is ksqlDB's AVRO format: it reads records of any writer schema
// into a row of columns and writes rows with the schema that ksqlDB generates
// for a sink, or with one that is given by its id.
//
// Coding is done by github.com/twmb/avro. For every schema a Go type is made by
// reflection that has a field for each wanted column, and the library decodes
// into it and encodes from it on its fast path for structs, so a field costs no
// interface value. What limits the speed then is one copy of the strings and
// the row's own slice.
//
// Invariants: a Serde is safe for concurrent use; schemas are fetched once per
// id; a record that can't be read as the columns fails, and fails alone.
package avro

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/twmb/avro"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// headerSize is the length of Confluent's wire format header: a zero byte and
// the schema id as four bytes, big endian.
const headerSize = 5

// Config says what a Serde reads and writes.
type Config struct {
	Columns []types.Column
	// Unwrapped is set when the only column is written bare.
	Unwrapped bool
	Topic     string
	// Subject is where the generated schema is registered on the first write.
	Subject string
	// FullName names the record of the generated schema.
	FullName string
	// SchemaID is the schema to write with instead of the generated one.
	SchemaID *int
}

// Serde writes and reads rows as Avro.
type Serde struct {
	cfg Config
	reg registry.Registry
	row *types.Type

	plans sync.Map // int (schema id) → *readPlan

	mu    sync.Mutex // held while the generated schema is registered
	write atomic.Pointer[writePlan]
}

// New makes a Serde. With a SchemaID the schema is fetched and compared with
// the columns now.
func New(ctx context.Context, cfg Config, reg registry.Registry) (*Serde, error) {
	s := &Serde{cfg: cfg, reg: reg, row: serde.RowType(cfg.Columns)}
	if cfg.Unwrapped {
		s.row = cfg.Columns[0].Type
	}
	if cfg.SchemaID == nil {
		// Names that Avro refuses are refused now, not at the first record.
		_, err := s.SchemaText()
		return s, err
	}
	schema, err := reg.SchemaByID(ctx, *cfg.SchemaID)
	if err != nil {
		return nil, &serde.Error{
			Message: fmt.Sprintf("Failed to fetch schema for serialization from Schema Registry using schema id: %d", *cfg.SchemaID),
			Cause:   err,
		}
	}
	text, err := SelfContained(ctx, reg, schema)
	if err != nil {
		return nil, err
	}
	plan, err := newWritePlan(text, s.row, *cfg.SchemaID)
	if err != nil {
		return nil, err
	}
	s.write.Store(plan)
	return s, nil
}

// SchemaText is the schema that ksqlDB generates for the row.
func (s *Serde) SchemaText() (string, error) { return SchemaText(s.row, s.cfg.FullName) }

// readPlan reads records of one writer schema.
type readPlan struct {
	schema *avro.Schema
	reader *reader
	opts   []avro.Opt
	bare   bool // the schema is bytes, see bareBytes
	err    error
	pool   sync.Pool // *room
}

// room is a Go value that records are decoded into or encoded from.
type room struct {
	value reflect.Value // addressable
	ptr   any           // pointer to value
	at    unsafe.Pointer
}

func newRoom(t reflect.Type) *room {
	p := reflect.New(t)
	return &room{value: p.Elem(), ptr: p.Interface(), at: p.UnsafePointer()}
}

// bareBytes reports whether payloads of a schema are nothing but the bytes
// themselves: Confluent's serializers leave out the length that Avro puts in
// front of bytes when bytes are all there is.
func bareBytes(root *avro.SchemaNode) bool { return root.Type == "bytes" }

func newReadPlan(text string, row *types.Type) *readPlan {
	p := &readPlan{}
	if p.schema, p.err = parse(text); p.err != nil {
		return p
	}
	root := p.schema.Root().ExpandReferences()
	if hasStandaloneNull(root) {
		p.err = errStandaloneNull
		return p
	}
	if p.reader, p.err = newReader(root, row, ""); p.err != nil {
		return p
	}
	p.bare = bareBytes(root)
	p.opts = []avro.Opt{avro.SkipUnknown()}
	if p.reader.tagged {
		p.opts = append(p.opts, avro.TaggedUnions())
	}
	p.pool.New = func() any { return newRoom(p.reader.goType) }
	return p
}

func (p *readPlan) read(payload []byte) (types.Value, error) {
	if p.err != nil {
		return types.Null, p.err
	}
	r := p.pool.Get().(*room)
	defer p.pool.Put(r)
	for _, pt := range p.reader.points {
		*(*unsafe.Pointer)(unsafe.Add(r.at, pt.pointer)) = unsafe.Add(r.at, pt.target)
	}
	// The strings and slices read are handed on, so the next record must not
	// find them.
	defer r.value.SetZero()
	if bytes, ok := r.ptr.(*[]byte); ok && p.bare {
		*bytes = append([]byte{}, payload...)
	} else if _, err := p.schema.Decode(payload, r.ptr, p.opts...); err != nil {
		return types.Null, err
	}
	return p.reader.read(r.at)
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
	if s.cfg.Unwrapped {
		return []types.Value{v}, nil
	}
	return v.Elems(), nil
}

func (s *Serde) deserialize(data []byte) (types.Value, error) {
	if len(data) < headerSize || data[0] != 0 {
		return types.Null, errors.New("Unknown magic byte!")
	}
	id := int(binary.BigEndian.Uint32(data[1:headerSize]))
	plan, err := s.plan(id)
	if err != nil {
		return types.Null, fmt.Errorf("Error retrieving Avro value schema for id %d: %w", id, err)
	}
	v, err := plan.read(data[headerSize:])
	if err != nil && plan.err == nil {
		return types.Null, fmt.Errorf("Error deserializing Avro message for id %d: %w", id, err)
	}
	return v, err
}

func (s *Serde) plan(id int) (*readPlan, error) {
	if p, ok := s.plans.Load(id); ok {
		return p.(*readPlan), nil
	}
	schema, err := s.reg.SchemaByID(context.Background(), id)
	if err != nil {
		return nil, err
	}
	if schema.Type != "" && schema.Type != registry.TypeAvro {
		return nil, fmt.Errorf("schema %d is of type %s, not AVRO", id, schema.Type)
	}
	text, err := SelfContained(context.Background(), s.reg, schema)
	if err != nil {
		return nil, err
	}
	p, _ := s.plans.LoadOrStore(id, newReadPlan(text, s.row))
	return p.(*readPlan), nil
}

// writePlan writes rows with one schema.
type writePlan struct {
	id     int
	schema *avro.Schema
	writer *writer
	bare   bool
	pool   sync.Pool // *room
}

func newWritePlan(text string, row *types.Type, id int) (*writePlan, error) {
	p := &writePlan{id: id}
	var err error
	if p.schema, err = parse(text); err != nil {
		return nil, fmt.Errorf("reading schema %d: %w", id, err)
	}
	root := p.schema.Root().ExpandReferences()
	if p.writer, err = newWriter(root, row, ""); err != nil {
		return nil, err
	}
	p.bare = bareBytes(root)
	p.pool.New = func() any { return newRoom(p.writer.goType) }
	return p, nil
}

func (p *writePlan) append(dst []byte, v types.Value) ([]byte, error) {
	r := p.pool.Get().(*room)
	defer p.pool.Put(r)
	defer r.value.SetZero()
	if err := p.writer.write(r.at, v); err != nil {
		return nil, err
	}
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.id))
	if bytes, ok := r.ptr.(*[]byte); ok && p.bare {
		return append(dst, *bytes...), nil
	}
	return p.schema.AppendEncode(dst, r.ptr)
}

// Serialize implements serde.Serde.
func (s *Serde) Serialize(dst []byte, values []types.Value) ([]byte, error) {
	if values == nil {
		return nil, nil
	}
	if len(values) != len(s.cfg.Columns) {
		return nil, &serde.Error{Message: fmt.Sprintf("Column count mismatch on serialization. topic: %s, expected: %d, got: %d", s.cfg.Topic, len(s.cfg.Columns), len(values))}
	}
	row := types.StructValue(values)
	if s.cfg.Unwrapped {
		if row = values[0]; row.IsNull() {
			return nil, nil
		}
	}
	plan, err := s.writePlan()
	if err != nil {
		return nil, err
	}
	out, err := plan.append(dst, row)
	if err == nil {
		return out, nil
	}
	var semantic *avro.SemanticError
	if errors.As(err, &semantic) {
		return nil, s.cannotWrite(s.failed(), err)
	}
	return nil, s.cannotWrite(err.Error(), err)
}

// failed is what AvroConverter says when its serializer fails.
func (s *Serde) failed() string {
	return fmt.Sprintf("Failed to serialize Avro data from topic %s :", s.cfg.Topic)
}

// cannotWrite is a serialisation error with the hint that ksqlDB adds to all of
// them.
func (s *Serde) cannotWrite(message string, cause error) error {
	return &serde.Error{
		Message: fmt.Sprintf("Error serializing message to topic: %s. %s\nHint: You probably forgot to add VALUE_SCHEMA_ID when creating the source.", s.cfg.Topic, message),
		Cause:   cause,
	}
}

// writePlan registers the generated schema on the first call that succeeds.
func (s *Serde) writePlan() (*writePlan, error) {
	if plan := s.write.Load(); plan != nil {
		return plan, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if plan := s.write.Load(); plan != nil {
		return plan, nil
	}
	text, err := s.SchemaText()
	if err != nil {
		return nil, s.cannotWrite(err.Error(), err)
	}
	id, err := s.reg.Register(context.Background(), s.cfg.Subject, registry.Schema{Type: registry.TypeAvro, Text: text})
	if err != nil {
		return nil, s.cannotWrite(s.failed(), err)
	}
	plan, err := newWritePlan(text, s.row, id)
	if err != nil {
		return nil, s.cannotWrite(err.Error(), err)
	}
	s.write.Store(plan)
	return plan, nil
}
