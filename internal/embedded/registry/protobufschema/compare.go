package protobufschema

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/registry/javaset"
)

// Incompatibilities gives what keeps messages that were written with the
// writer's schema from being read with the reader's; none when all can be.
func Incompatibilities(reader, writer *Schema) []Difference {
	c := &comparison{original: collect(writer), update: collect(reader), entered: map[*message]bool{}}
	if writer.file.pkg != reader.file.pkg || writer.file.hasPackage != reader.file.hasPackage {
		c.add(packageChanged)
	}
	c.types(writer.file.types, reader.file.types)
	return c.found
}

// comparison walks two schemas side by side.
type comparison struct {
	original, update *scopeTypes
	entered          map[*message]bool // the writer's messages on the way here
	path             []string
	found            []Difference
}

func (c *comparison) add(kind Kind) {
	c.found = append(c.found, Difference{kind, "#/" + strings.Join(c.path, "/")})
}

// at runs f one step further down.
func (c *comparison) at(step string, f func()) {
	c.path = append(c.path, step)
	f()
	c.path = c.path[:len(c.path)-1]
}

// within runs f inside a type, in whose scope names are resolved.
func (c *comparison) within(name string, f func()) {
	c.at(name, func() {
		c.original.within(name, func() { c.update.within(name, f) })
	})
}

func messagesOf(types []typeDecl) (names []string, byName map[string]*message) {
	byName = map[string]*message{}
	for _, t := range types {
		if t.message == nil {
			continue
		}
		if byName[t.name()] == nil {
			names = append(names, t.name())
		}
		byName[t.name()] = t.message
	}
	return names, byName
}

// types compares messages. Enums are numbers for those who read them: all their
// changes are compatible.
func (c *comparison) types(original, update []typeDecl) {
	wasNames, was := messagesOf(original)
	isNames, is := messagesOf(update)
	for _, name := range javaset.Union(wasNames, isNames) {
		c.within(name, func() {
			switch {
			case was[name] == nil:
			case is[name] != nil:
				c.message(was[name], is[name])
			default:
				if info := c.original.byName(name); info != nil && !info.isMap() {
					c.add(messageRemoved)
				}
			}
		})
	}
}

func byNumber(fields []field) (numbers []int, by map[int]*field) {
	by = map[int]*field{}
	for i := range fields {
		if by[fields[i].number] == nil {
			numbers = append(numbers, fields[i].number)
		}
		by[fields[i].number] = &fields[i]
	}
	return numbers, by
}

func (c *comparison) message(original, update *message) {
	if !c.entered[original] {
		c.entered[original] = true
		c.members(original, update)
		delete(c.entered, original)
	}
	c.types(original.types, update.types)
}

func (c *comparison) members(original, update *message) {
	wasNumbers, was := byNumber(original.fields)
	isNumbers, is := byNumber(update.fields)
	inOneofs := map[int]bool{}
	wasOneofs := map[string]oneof{}
	var wasNames, isNames []string
	for _, o := range original.oneofs {
		wasOneofs[o.name] = o
		wasNames = append(wasNames, o.name)
		for _, f := range o.fields {
			inOneofs[f.number] = true
		}
	}
	isOneofs := map[string]oneof{}
	for _, o := range update.oneofs {
		isOneofs[o.name] = o
		isNames = append(isNames, o.name)
		moved, existing := 0, 0
		for _, f := range o.fields {
			switch {
			case was[f.number] != nil:
				delete(was, f.number)
				wasNumbers = slices.DeleteFunc(wasNumbers, func(n int) bool { return n == f.number })
				moved++
			case inOneofs[f.number]:
				existing++
			}
		}
		c.at(o.name, func() {
			switch {
			case moved > 1:
				c.add(multipleFieldsMoved)
			case moved == 1 && existing > 0:
				c.add(fieldMovedToExistingOneof)
			}
		})
	}
	for _, name := range javaset.Union(wasNames, isNames) {
		before, ok := wasOneofs[name]
		after, still := isOneofs[name]
		if ok && still {
			c.at(name, func() { c.oneof(before, after) })
		}
	}
	for _, number := range javaset.UnionNumbers(wasNumbers, isNumbers) {
		c.at(strconv.Itoa(number), func() {
			switch before, after := was[number], is[number]; {
			case after == nil:
				if before.label == "required" {
					c.add(requiredFieldRemoved)
				}
			case before == nil:
				if after.label == "required" {
					c.add(requiredFieldAdded)
				}
			default:
				c.field(before.label, after.label, before.typ, after.typ)
			}
		})
	}
}

func (c *comparison) oneof(original, update oneof) {
	wasNumbers, was := byNumber(original.fields)
	isNumbers, is := byNumber(update.fields)
	for _, number := range javaset.UnionNumbers(wasNumbers, isNumbers) {
		c.at(strconv.Itoa(number), func() {
			switch before, after := was[number], is[number]; {
			case after == nil:
				c.add(oneofFieldRemoved)
			case before != nil:
				c.field(before.label, after.label, before.typ, after.typ)
			}
		})
	}
}

// shape is what a type is made of.
type shape int

const (
	scalarShape shape = iota
	mapShape
	messageShape
)

func (t *scopeTypes) shape(typ string) (string, shape) {
	info := t.byName(typ)
	if info != nil && info.isMap() {
		typ = info.mapType()
		info = nil
	}
	switch {
	case isScalar(typ):
		return typ, scalarShape
	case strings.HasPrefix(typ, "map<"):
		return typ, mapShape
	case info != nil && info.enum != nil:
		return "", scalarShape
	default:
		return typ, messageShape
	}
}

func (c *comparison) field(wasLabel, isLabel, was, is string) {
	was, wasShape := c.original.shape(was)
	is, isShape := c.update.shape(is)
	switch {
	case wasShape != isShape:
		c.add(fieldKindChanged)
	case wasShape == scalarShape:
		before, after := encodingOf(was), encodingOf(is)
		switch {
		case before != after:
			c.add(fieldScalarKindChanged)
		case wasLabel != "" && isLabel != "" && wasLabel != isLabel && before != "text":
			c.add(fieldNumericLabelChanged)
		}
	case wasShape == mapShape:
		wasKey, wasValue, _ := mapTypes(was)
		isKey, isValue, _ := mapTypes(is)
		c.field("", "", wasKey, isKey)
		c.field("", "", wasValue, isValue)
	default:
		c.named(was, is)
	}
}

// encodingOf groups the scalar types that can be read as one another. Enums,
// which have no name here, are numbers.
func encodingOf(typ string) string {
	switch typ {
	case "sint32", "sint64":
		return "signed number"
	case "string", "bytes":
		return "text"
	case "fixed32", "sfixed32":
		return "fixed32"
	case "fixed64", "sfixed64":
		return "fixed64"
	case "float", "double":
		return typ
	default:
		return "number"
	}
}

func (c *comparison) named(was, is string) {
	wasFull, isFull := c.original.fullName(was), c.update.fullName(is)
	if wasFull == "" || isFull == "" {
		if was != is {
			c.add(fieldNamedTypeChanged)
		}
		return
	}
	before, after := c.original.types[wasFull], c.update.types[isFull]
	local := strings.TrimPrefix(wasFull, before.pkg+".")
	if local != strings.TrimPrefix(isFull, after.pkg+".") {
		c.add(fieldNamedTypeChanged)
		return
	}
	if before.origin == after.origin && before.origin != (Origin{}) {
		return
	}
	sub := &comparison{entered: maps.Clone(c.entered), path: strings.Split(local, "."),
		original: c.original.inPackage(before.pkg, local), update: c.update.inPackage(after.pkg, local)}
	sub.message(before.message, after.message)
	c.found = append(c.found, sub.found...)
	if len(sub.found) > 0 {
		c.add(fieldNamedTypeChanged)
	}
}

// inPackage is the same for a place in a type of another package.
func (t *scopeTypes) inPackage(pkg, local string) *scopeTypes {
	return &scopeTypes{types: t.types, extensions: t.extensions, pkg: pkg, path: strings.Split(local, ".")}
}
