package ast

// TypeKind tells which form of type was written.
type TypeKind int

// The forms of a type.
const (
	// TypeNamed is a type known by its name alone: a primitive such as BIGINT or
	// VARCHAR, or a custom type. Which of them, is for the reader to find out.
	TypeNamed TypeKind = iota
	// TypeDecimal is DECIMAL(precision, scale).
	TypeDecimal
	// TypeArray is ARRAY<element>, also written "element ARRAY".
	TypeArray
	// TypeMap is MAP<key, value>.
	TypeMap
	// TypeStruct is STRUCT<name type, ...>.
	TypeStruct
)

// DataType is a type as written.
type DataType struct {
	Span
	// Kind says which of the other fields are used.
	Kind TypeKind
	// Name is the name of a TypeNamed; nil otherwise. The parameters that ksqlDB
	// accepts and ignores, as in VARCHAR(10), are not kept.
	Name *Ident
	// Precision and Scale belong to TypeDecimal, as written and not yet checked.
	Precision, Scale int
	// Element is the element type of a TypeArray.
	Element *DataType
	// Key and Value are the two types of a TypeMap.
	Key, Value *DataType
	// Fields are the fields of a TypeStruct in order; there may be none.
	Fields []*FieldType
}

// FieldType is one field of a STRUCT type.
type FieldType struct {
	Span
	// Name of the field.
	Name *Ident
	// Type of the field.
	Type *DataType
}
