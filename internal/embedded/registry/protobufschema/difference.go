package protobufschema

import "fmt"

// Kind is what about a change makes it incompatible.
type Kind string

// The incompatible changes, in the words of Confluent's registry.
const (
	packageChanged            Kind = "PACKAGE_CHANGED"
	messageRemoved            Kind = "MESSAGE_REMOVED"
	fieldKindChanged          Kind = "FIELD_KIND_CHANGED"
	fieldScalarKindChanged    Kind = "FIELD_SCALAR_KIND_CHANGED"
	fieldNamedTypeChanged     Kind = "FIELD_NAMED_TYPE_CHANGED"
	fieldNumericLabelChanged  Kind = "FIELD_NUMERIC_LABEL_CHANGED"
	requiredFieldAdded        Kind = "REQUIRED_FIELD_ADDED"
	requiredFieldRemoved      Kind = "REQUIRED_FIELD_REMOVED"
	oneofFieldRemoved         Kind = "ONEOF_FIELD_REMOVED"
	multipleFieldsMoved       Kind = "MULTIPLE_FIELDS_MOVED_TO_ONEOF"
	fieldMovedToExistingOneof Kind = "FIELD_MOVED_TO_EXISTING_ONEOF"
)

// explanations has the form of each kind's explanation: path, reader's schema,
// writer's schema.
var explanations = map[Kind]string{
	packageChanged:            "The package at '%[1]s' in the %[2]s schema does not match the package in the %[3]s schema",
	messageRemoved:            "The %[2]s schema is missing a MESSAGE type at path '%[1]s' in the %[3]s schema",
	fieldKindChanged:          "The type of a field at path '%[1]s' in the %[2]s schema does not match the %[3]s schema",
	fieldScalarKindChanged:    "The kind of a SCALAR field at path '%[1]s' in the %[2]s schema does not match its kind in the %[3]s schema",
	fieldNamedTypeChanged:     "The type of a MESSAGE field at path '%[1]s' in the %[2]s schema does not match its type in the %[3]s schema",
	fieldNumericLabelChanged:  "The label for a NUMERIC field at path '%[1]s' in the %[2]s schema does not match its label in the %[3]s schema",
	requiredFieldAdded:        "A required field  at path '%[1]s' in the %[2]s schema is missing in the %[3]s schema",
	requiredFieldRemoved:      "The %[2]s schema is missing a required field at path: '%[1]s' in the %[3]s schema",
	oneofFieldRemoved:         "The %[2]s schema is missing a oneof field at path '%[1]s' in the %[3]s schema",
	multipleFieldsMoved:       "Multiple fields in the oneof at path '%[1]s' in the %[2]s schema are outside a oneof in the %[3]s schema",
	fieldMovedToExistingOneof: "A field in the oneof at path '%[1]s' in the %[2]s schema is outside an existing oneof in the %[3]s schema",
}

// Difference is one change that keeps messages of one schema from being read
// with another.
type Difference struct {
	Kind Kind
	// Path leads to the change: "#/Order/2".
	Path string
}

// Message explains a difference, naming the two schemas as given.
func (d Difference) Message(reader, writer string) string {
	return fmt.Sprintf(`{errorType:"%s", description:"%s"}`, d.Kind, fmt.Sprintf(explanations[d.Kind], d.Path, reader, writer))
}
