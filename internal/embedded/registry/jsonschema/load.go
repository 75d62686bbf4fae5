package jsonschema

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/dlclark/regexp2/v2"
)

// dialect is the version of JSON Schema that a document is read as.
type dialect int

const (
	draft4 dialect = iota
	draft6
	draft7
	draft2019
)

// dialectOf gives the dialect that a document names, draft 7 when it names none
// that is known.
func dialectOf(document value) dialect {
	o, ok := document.(*object)
	if !ok {
		return draft7
	}
	uri, _ := o.members["$schema"].(string)
	uri = strings.TrimPrefix(strings.Replace(uri, "https://", "http://", 1), "http://json-schema.org/")
	switch bare := strings.TrimSuffix(uri, "#"); {
	case bare == "draft/2019-09/schema", bare == "draft/2020-12/schema":
		return draft2019
	case strings.HasPrefix(bare, "draft-04/schema"), strings.HasPrefix(bare, "schema"):
		return draft4
	case strings.HasPrefix(bare, "draft-06/schema"):
		return draft6
	default:
		return draft7
	}
}

var (
	objectKeywords = []string{"properties", "required", "minProperties", "maxProperties", "patternProperties", "additionalProperties"}
	arrayKeywords  = []string{"items", "minItems", "maxItems", "uniqueItems"}
	numberKeywords = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
	stringKeywords = []string{"minLength", "maxLength", "pattern"}
	logicKeywords  = []string{"if", "then", "else"}
)

// keywords gives the keywords of objects, arrays and strings in a dialect.
func (d dialect) keywords() (objects, arrays, texts []string) {
	objects, arrays, texts = slices.Clone(objectKeywords), slices.Clone(arrayKeywords), slices.Clone(stringKeywords)
	if d >= draft6 {
		objects, arrays = append(objects, "propertyNames"), append(arrays, "contains")
	}
	if d < draft2019 {
		return append(objects, "dependencies"), append(arrays, "additionalItems"), append(texts, "format")
	}
	return append(objects, "dependentRequired", "dependentSchemas", "unevaluatedProperties"),
		append(arrays, "prefixItems", "unevaluatedItems"), texts
}

// loader makes nodes from one document. Its first error ends the loading.
type loader struct {
	dialect   dialect
	documents *documents
	root      value
	base      string // the URI of the document, empty when it has none
	err       error
}

func load(document value, references map[string]string) (*node, error) {
	l := &loader{dialect: dialectOf(document), root: document}
	l.base = l.idOf(document)
	l.documents = newDocuments(l.base, references)
	n := l.node(document, "", 0)
	return n, l.err
}

func (l *loader) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

func (l *loader) idKeyword() string {
	if l.dialect == draft4 {
		return "id"
	}
	return "$id"
}

func (l *loader) idOf(v value) string {
	o, ok := v.(*object)
	if !ok {
		return ""
	}
	id, _ := o.members[l.idKeyword()].(string)
	return id
}

// node loads a schema. scope is the URI that references in it are relative to.
func (l *loader) node(v value, scope string, depth int) *node {
	switch v := v.(type) {
	case bool:
		if v {
			return &node{kind: kindTrue, identity: "true"}
		}
		return &node{kind: kindFalse, identity: "false"}
	case *object:
		if depth > maxDepth {
			l.fail("schemas nest deeper than %d", maxDepth)
			return &node{}
		}
		n := l.object(v, resolve(scope, l.idOf(v)), depth)
		if n.kind != kindReference {
			n.identity = strconv.Itoa(int(n.kind)) + encode(v, true)
		}
		n.hasDefault = v.members["default"] != nil
		l.checkCommon(v)
		return n
	case []value:
		if depth == 0 && len(v) == 0 {
			return &node{identity: "{}"} // taken for an object without members
		}
	}
	l.fail("%s is not a schema", encode(v, false))
	return &node{}
}

func (l *loader) checkCommon(o *object) {
	for _, key := range []string{l.idKeyword(), "title", "description"} {
		l.text(o, key)
	}
}

// object loads a schema that is an object: one node when its keywords are all of
// one kind, what combines several when not.
func (l *loader) object(o *object, scope string, depth int) *node {
	var parts []*node
	if o.has("$ref") {
		ref := &node{kind: kindReference, identity: "$ref" + encode(o, true)}
		if text := l.text(o, "$ref"); text != nil {
			ref.referred = l.reference(*text, scope, depth)
		}
		if l.dialect < draft2019 {
			return ref
		}
		parts = append(parts, ref)
	}
	parts = append(parts, l.values(o)...)
	parts = append(parts, l.combined(o, scope, depth)...)
	if negated, ok := o.get("not"); ok {
		parts = append(parts, &node{kind: kindNot, negated: l.node(negated, scope, depth+1)})
	}
	parts = append(parts, l.typed(o, scope, depth)...)
	if l.dialect >= draft7 && o.has(logicKeywords...) {
		n := &node{kind: kindConditional}
		for i, into := range []**node{&n.condition, &n.consequence, &n.alt} {
			if v, ok := o.get(logicKeywords[i]); ok {
				*into = l.node(v, scope, depth+1)
			}
		}
		parts = append(parts, n)
	}
	switch len(parts) {
	case 0:
		return &node{kind: kindEmpty}
	case 1:
		return parts[0]
	}
	for i, p := range parts {
		if p.identity == "" {
			p.identity = fmt.Sprintf("%d/%d%s", i, p.kind, encode(o, true))
		}
	}
	return &node{kind: kindCombined, criterion: "allOf", subschemas: parts, generated: true}
}

// values loads the keywords that list values.
func (l *loader) values(o *object) []*node {
	var parts []*node
	if _, ok := o.get("enum"); ok {
		n := &node{kind: kindEnum, values: map[string]bool{}}
		for _, v := range l.list(o, "enum") {
			n.values[encode(v, true)] = true
		}
		parts = append(parts, n)
	}
	if v, ok := o.get("const"); ok && l.dialect >= draft6 {
		parts = append(parts, &node{kind: kindConst, values: map[string]bool{encode(v, true): true}})
	}
	return parts
}

func (l *loader) combined(o *object, scope string, depth int) []*node {
	var parts []*node
	for _, criterion := range []string{"allOf", "anyOf", "oneOf"} {
		if _, ok := o.get(criterion); !ok {
			continue
		}
		n := &node{kind: kindCombined, criterion: criterion}
		for _, v := range l.list(o, criterion) {
			n.subschemas = append(n.subschemas, l.node(v, scope, depth+1))
		}
		parts = append(parts, n)
	}
	return parts
}

// typed loads the keyword type and those that are about one type of value.
func (l *loader) typed(o *object, scope string, depth int) []*node {
	objects, arrays, texts := l.dialect.keywords()
	builders := []struct {
		kind  kind
		there bool
		build func() *node
	}{
		{kindArray, o.has(arrays...), func() *node { return l.array(o, scope, depth) }},
		{kindObject, o.has(objects...), func() *node { return l.properties(o, scope, depth) }},
		{kindNumber, o.has(numberKeywords...), func() *node { return l.number(o) }},
		{kindString, o.has(texts...), func() *node { return l.string(o) }},
	}
	var parts []*node
	named := map[kind]bool{}
	ofType := func(name string) *node {
		k := kindOfType(name)
		if k == kindEmpty {
			l.fail("unknown type: [%s]", name)
		}
		named[k] = true
		n := &node{kind: k}
		for _, b := range builders {
			if b.kind == k {
				n = b.build()
			}
		}
		n.integer = name == "integer"
		return n
	}
	switch t := o.members["type"].(type) {
	case string:
		parts = append(parts, ofType(t))
	case []value:
		n := &node{kind: kindCombined, criterion: "anyOf", generated: true}
		for _, v := range t {
			name, ok := v.(string)
			if !ok {
				l.fail("a type is no string")
				break
			}
			sub := ofType(name)
			sub.identity = name + encode(o, true)
			n.subschemas = append(n.subschemas, sub)
		}
		parts = append(parts, n)
	default:
		if o.has("type") {
			l.fail("type is neither a string nor a list of strings")
		}
	}
	for _, b := range builders {
		if b.there && !named[b.kind] {
			parts = append(parts, b.build())
		}
	}
	return parts
}

func kindOfType(name string) kind {
	switch name {
	case "string":
		return kindString
	case "integer", "number":
		return kindNumber
	case "boolean":
		return kindBoolean
	case "null":
		return kindNull
	case "array":
		return kindArray
	case "object":
		return kindObject
	default:
		return kindEmpty
	}
}

func (l *loader) string(o *object) *node {
	n := &node{kind: kindString, minLength: l.whole(o, "minLength"), maxLength: l.whole(o, "maxLength"), pattern: l.text(o, "pattern")}
	if n.pattern != nil {
		l.regexp(*n.pattern)
	}
	if l.dialect < draft2019 {
		l.text(o, "format")
	}
	return n
}

func (l *loader) regexp(pattern string) func(string) bool {
	re, err := regexp2.Compile(pattern, regexp2.None)
	if err != nil {
		l.fail("the pattern %q: %w", pattern, err)
		return func(string) bool { return false }
	}
	return func(s string) bool {
		matches, err := re.MatchString(s)
		return matches && err == nil
	}
}

func (l *loader) number(o *object) *node {
	n := &node{kind: kindNumber, minimum: l.rational(o, "minimum"), maximum: l.rational(o, "maximum"), multipleOf: l.rational(o, "multipleOf")}
	if n.multipleOf != nil && n.multipleOf.Sign() == 0 {
		l.fail("multipleOf should not be 0")
	}
	if l.dialect > draft4 {
		n.exclusiveMinimum, n.exclusiveMaximum = l.rational(o, "exclusiveMinimum"), l.rational(o, "exclusiveMaximum")
		return n
	}
	l.flag(o, "exclusiveMinimum")
	l.flag(o, "exclusiveMaximum")
	return n
}

func (l *loader) properties(o *object, scope string, depth int) *node {
	n := &node{
		kind:          kindObject,
		minProperties: l.whole(o, "minProperties"), maxProperties: l.whole(o, "maxProperties"),
		required: map[string]bool{}, requiredWith: map[string]map[string]bool{},
	}
	if properties := l.members(o, "properties"); properties != nil {
		for _, name := range properties.keys {
			v := properties.members[name]
			if _, schema := v.(*object); name != l.idKeyword() || schema {
				n.properties.put(name, l.node(v, scope, depth+1))
			}
		}
	}
	switch v, ok := o.get("additionalProperties"); {
	case !ok || v == true:
	case v == false:
		n.noAdditionalProperties = true
	default:
		n.additionalProperties = l.node(v, scope, depth+1)
	}
	for _, v := range l.list(o, "required") {
		name, ok := v.(string)
		if !ok {
			l.fail("a required property is no string")
			break
		}
		n.required[name] = true
	}
	if patterns := l.members(o, "patternProperties"); patterns != nil {
		for _, pattern := range patterns.keys {
			n.patternProperties = append(n.patternProperties, patternProperty{l.regexp(pattern), l.node(patterns.members[pattern], scope, depth+1)})
		}
	}
	if v, ok := o.get("propertyNames"); ok && l.dialect >= draft6 {
		l.node(v, scope, depth+1)
	}
	l.dependencies(n, o, scope, depth)
	return n
}

func (l *loader) dependencies(n *node, o *object, scope string, depth int) {
	both := []string{"dependencies"}
	if l.dialect >= draft2019 {
		both = []string{"dependentRequired", "dependentSchemas"}
	}
	for _, keyword := range both {
		dependencies := l.members(o, keyword)
		if dependencies == nil {
			continue
		}
		for _, name := range dependencies.keys {
			list, ok := dependencies.members[name].([]value)
			if !ok {
				n.schemaDependencies.put(name, l.node(dependencies.members[name], scope, depth+1))
				continue
			}
			n.propertyDependencies.put(name, nil)
			if n.requiredWith[name] == nil {
				n.requiredWith[name] = map[string]bool{}
			}
			for _, v := range list {
				other, ok := v.(string)
				if !ok {
					l.fail("a property in %s is no string", keyword)
					return
				}
				n.requiredWith[name][other] = true
			}
		}
	}
}

func (l *loader) array(o *object, scope string, depth int) *node {
	n := &node{kind: kindArray, minItems: l.whole(o, "minItems"), maxItems: l.whole(o, "maxItems"), uniqueItems: l.flag(o, "uniqueItems")}
	rest := "additionalItems"
	switch items := o.members["items"].(type) {
	case []value:
		for _, v := range items {
			n.itemList = append(n.itemList, l.node(v, scope, depth+1))
		}
	default:
		if o.has("items") && l.dialect < draft2019 {
			n.items = l.node(items, scope, depth+1)
		}
	}
	if l.dialect >= draft2019 {
		for _, v := range l.list(o, "prefixItems") {
			n.itemList = append(n.itemList, l.node(v, scope, depth+1))
		}
		if rest = "items"; len(n.itemList) == 0 {
			if v, ok := o.get("items"); ok && v != true && v != false {
				n.items, rest = l.node(v, scope, depth+1), ""
			}
		}
	}
	switch v, ok := o.get(rest); {
	case !ok || v == true:
	case v == false:
		n.noAdditionalItems = n.items == nil
	default:
		if _, list := v.([]value); !list {
			n.additionalItems = l.node(v, scope, depth+1)
		}
	}
	if v, ok := o.get("contains"); ok && l.dialect >= draft6 {
		l.node(v, scope, depth+1)
	}
	return n
}

// What follows reads members that must have a certain type; nil or the zero
// value stands for those that are not there.

func (l *loader) text(o *object, key string) *string {
	v, ok := o.get(key)
	if !ok {
		return nil
	}
	s, ok := v.(string)
	if !ok {
		l.fail("%s is no string", key)
		return nil
	}
	return &s
}

func (l *loader) flag(o *object, key string) bool {
	v, ok := o.get(key)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		l.fail("%s is no boolean", key)
	}
	return b
}

func (l *loader) whole(o *object, key string) *int {
	v, ok := o.get(key)
	if !ok {
		return nil
	}
	text, _ := v.(json.Number)
	n, err := strconv.Atoi(text.String())
	if err != nil {
		l.fail("%s is no whole number", key)
		return nil
	}
	return &n
}

func (l *loader) rational(o *object, key string) *big.Rat {
	v, ok := o.get(key)
	if !ok {
		return nil
	}
	text, _ := v.(json.Number)
	if f, err := text.Float64(); err != nil || f == 0 && len(text) > 40 {
		l.fail("%s is no number in range", key)
		return nil
	}
	n, ok := new(big.Rat).SetString(text.String())
	if !ok {
		l.fail("%s is no number", key)
		return nil
	}
	return n
}

func (l *loader) list(o *object, key string) []value {
	v, ok := o.get(key)
	if !ok {
		return nil
	}
	list, ok := v.([]value)
	if !ok {
		l.fail("%s is no list", key)
	}
	return list
}

func (l *loader) members(o *object, key string) *object {
	v, ok := o.get(key)
	if !ok {
		return nil
	}
	m, ok := v.(*object)
	if !ok {
		l.fail("%s is no object", key)
	}
	return m
}
