package avroschema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind says in which way data can't be read.
type Kind string

// The kinds of Avro's SchemaCompatibility.
const (
	NameMismatch       Kind = "NAME_MISMATCH"
	FixedSizeMismatch  Kind = "FIXED_SIZE_MISMATCH"
	MissingEnumSymbols Kind = "MISSING_ENUM_SYMBOLS"
	MissingDefault     Kind = "READER_FIELD_MISSING_DEFAULT_VALUE"
	TypeMismatch       Kind = "TYPE_MISMATCH"
	MissingUnionBranch Kind = "MISSING_UNION_BRANCH"
)

// Incompatibility is one reason why data can't be read.
type Incompatibility struct {
	Kind Kind
	// Path is where in the reader's schema, as a JSON pointer.
	Path string
	// Info is what is wrong there: a field's name, symbols, types.
	Info string
}

// Incompatibilities gives every reason why data written with writer can't be
// read with reader, none when it can. It follows Java's SchemaCompatibility,
// also in which reasons it tells and where.
func Incompatibilities(reader, writer *Schema) []Incompatibility {
	c := &checker{known: map[pair]*[]Incompatibility{}}
	return c.check(reader, writer, nil)
}

type pair struct{ reader, writer *Schema }

type checker struct {
	// known has what is known of pairs; an empty list while one is being looked
	// at, so that recursive schemas come to an end.
	known map[pair]*[]Incompatibility
}

// path is the way to a schema, the steps below the root.
type path []string

func (p path) at(step string) path { return append(slices.Clip(p), step) }

func (p path) pointer() string {
	escaped := make([]string, len(p))
	for i, step := range p {
		escaped[i] = strings.ReplaceAll(strings.ReplaceAll(step, "~", "~0"), "/", "~1")
	}
	return "/" + strings.Join(escaped, "/")
}

func (c *checker) check(reader, writer *Schema, at path) []Incompatibility {
	key := pair{reader, writer}
	if found := c.known[key]; found != nil {
		return *found
	}
	found := new([]Incompatibility)
	c.known[key] = found
	*found = c.calculate(reader, writer, at)
	return *found
}

func (c *checker) calculate(reader, writer *Schema, at path) []Incompatibility {
	if reader.typ == writer.typ {
		return c.sameType(reader, writer, at)
	}
	if writer.typ == Union {
		var found []Incompatibility
		for _, branch := range writer.branches {
			found = append(found, c.check(reader, branch, nil)...)
		}
		return found
	}
	if reader.typ == Union {
		for _, branch := range reader.branches {
			if len(c.check(branch, writer, nil)) == 0 {
				return nil
			}
		}
		return lackingBranch(writer, at)
	}
	if promotes(writer.typ, reader.typ) {
		return nil
	}
	return []Incompatibility{{TypeMismatch, at.pointer(), fmt.Sprintf("reader type: %s not compatible with writer type: %s", reader.typ.upper(), writer.typ.upper())}}
}

// promotes reports whether a reader of one primitive type takes another.
func promotes(writer, reader Type) bool {
	switch reader {
	case Long:
		return writer == Int
	case Float:
		return writer == Int || writer == Long
	case Double:
		return writer == Int || writer == Long || writer == Float
	case Bytes:
		return writer == String
	case String:
		return writer == Bytes
	default:
		return false
	}
}

func lackingBranch(writer *Schema, at path) []Incompatibility {
	return []Incompatibility{{MissingUnionBranch, at.pointer(), "reader union lacking writer type: " + writer.typ.upper()}}
}

func (c *checker) sameType(reader, writer *Schema, at path) []Incompatibility {
	switch reader.typ {
	case Array:
		return c.check(reader.elem, writer.elem, at.at("items"))
	case Map:
		return c.check(reader.elem, writer.elem, at.at("values"))
	case Union:
		var found []Incompatibility
		for i, branch := range writer.branches {
			if len(c.check(reader, branch, nil)) > 0 {
				found = append(found, lackingBranch(branch, at.at(strconv.Itoa(i)))...)
			}
		}
		return found
	case Fixed:
		found := sameName(reader, writer, at)
		if reader.size != writer.size {
			found = append(found, Incompatibility{FixedSizeMismatch, at.at("size").pointer(), fmt.Sprintf("expected: %d, found: %d", writer.size, reader.size)})
		}
		return found
	case Enum:
		return append(sameName(reader, writer, at), allSymbols(reader, writer, at)...)
	case Record:
		return append(sameName(reader, writer, at), c.allFields(reader, writer, at)...)
	default:
		return nil
	}
}

func sameName(reader, writer *Schema, at path) []Incompatibility {
	if reader.name.simple == writer.name.simple {
		return nil
	}
	for _, alias := range reader.aliases {
		if alias.full() == writer.name.full() {
			return nil
		}
	}
	return []Incompatibility{{NameMismatch, at.at("name").pointer(), "expected: " + writer.name.full()}}
}

func allSymbols(reader, writer *Schema, at path) []Incompatibility {
	var missing []string
	for _, symbol := range writer.symbols {
		if !slices.Contains(reader.symbols, symbol) {
			missing = append(missing, symbol)
		}
	}
	if len(missing) == 0 || reader.enumDefault != nil {
		return nil
	}
	slices.Sort(missing)
	return []Incompatibility{{MissingEnumSymbols, at.at("symbols").pointer(), "[" + strings.Join(missing, ", ") + "]"}}
}

func (c *checker) allFields(reader, writer *Schema, at path) []Incompatibility {
	var found []Incompatibility
	for _, f := range reader.fields {
		here := at.at("fields").at(strconv.Itoa(f.pos))
		source := writerField(f, writer)
		switch {
		case source != nil:
			found = append(found, c.check(f.schema, source.schema, here.at("type"))...)
		case f.defaultValue != nil:
		case f.schema.typ == Enum && f.schema.enumDefault != nil:
			found = append(found, c.check(f.schema, writer, here.at("type"))...)
		default:
			found = append(found, Incompatibility{MissingDefault, here.pointer(), f.name})
		}
	}
	return found
}

// writerField gives the field of the writer that a reader's field is read from.
func writerField(f *field, writer *Schema) *field {
	byName := func(n string) *field {
		for _, w := range writer.fields {
			if w.name == n {
				return w
			}
		}
		return nil
	}
	if w := byName(f.name); w != nil {
		return w
	}
	for _, alias := range f.aliases {
		if w := byName(alias); w != nil {
			return w
		}
	}
	return nil
}
