package jsonschema

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// kind says which keywords a node stands for. Nodes of different kinds are never
// compared keyword by keyword.
type kind int

const (
	kindEmpty kind = iota
	kindTrue
	kindFalse
	kindBoolean
	kindNull
	kindString
	kindNumber
	kindObject
	kindArray
	kindEnum
	kindConst
	kindNot
	kindConditional
	kindCombined
	kindReference
)

// node is one schema, or what the keywords of one type come to where a schema
// has keywords of several.
type node struct {
	kind       kind
	identity   string // what two nodes of the same meaning have in common
	hasDefault bool

	// kindString
	minLength, maxLength *int
	pattern              *string

	// kindNumber
	minimum, maximum                   *big.Rat
	exclusiveMinimum, exclusiveMaximum *big.Rat
	multipleOf                         *big.Rat
	integer                            bool

	// kindObject
	properties                  members
	patternProperties           []patternProperty
	required                    map[string]bool
	additionalProperties        *node // nil when any or none may be there
	noAdditionalProperties      bool
	minProperties               *int
	maxProperties               *int
	propertyDependencies        members
	requiredWith                map[string]map[string]bool
	schemaDependencies          members
	items                       *node // of all items
	itemList                    []*node
	additionalItems             *node
	noAdditionalItems           bool
	minItems, maxItems          *int
	uniqueItems                 bool
	values                      map[string]bool // kindEnum, and the one of kindConst
	criterion                   string          // kindCombined: allOf, anyOf or oneOf
	subschemas                  []*node         // kindCombined
	generated                   bool            // kindCombined: no keyword of its own
	negated                     *node           // kindNot
	referred                    *node           // kindReference
	condition, consequence, alt *node           // kindConditional
}

// members are the schemas of named things, in the order in which they were put.
type members struct {
	names []string
	nodes map[string]*node
}

func (m *members) put(name string, n *node) {
	if m.nodes == nil {
		m.nodes = map[string]*node{}
	}
	if _, ok := m.nodes[name]; !ok {
		m.names = append(m.names, name)
	}
	m.nodes[name] = n
}

type patternProperty struct {
	matches func(name string) bool
	node    *node
}

// Schema is a parsed JSON schema.
type Schema struct {
	document value
	root     *node
}

// ErrSyntax is the error of texts that are no JSON.
var ErrSyntax = errors.New("invalid JSON")

// ErrSchema is the error of JSON texts that are no JSON schema, or refer to
// something that was not handed over.
var ErrSchema = errors.New("invalid JSON schema")

// Parse reads a schema. references are the texts of the schemas that it may
// refer to, by the names it uses in $ref. The error wraps ErrSyntax, or
// ErrSchema; with the latter there is a schema that accepts everything, for the
// text alone.
func Parse(text string, references map[string]string) (*Schema, error) {
	document, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	root, err := load(document, references)
	if err != nil {
		return &Schema{document, &node{kind: kindTrue}}, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	return &Schema{document, root}, nil
}

// Text is the schema without white space, its members in the order they came.
func (s *Schema) Text() string { return encode(s.document, false) }

// Normalized is the schema without white space, its members sorted by name.
func (s *Schema) Normalized() string { return encode(s.document, true) }

// Reserved gives the first top level property whose name begins with "$$", which
// a registry keeps for itself; empty when there is none.
func (s *Schema) Reserved() string {
	if s.root.kind != kindObject {
		return ""
	}
	for _, name := range s.root.properties.names {
		if strings.HasPrefix(name, "$$") {
			return name
		}
	}
	return ""
}

// HasProperty reports whether the topmost object has a property of its own.
func (s *Schema) HasProperty(name string) bool {
	o, _ := s.document.(*object)
	if o == nil {
		return false
	}
	properties, _ := o.members["properties"].(*object)
	return properties != nil && properties.has(name)
}
