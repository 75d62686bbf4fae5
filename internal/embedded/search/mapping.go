package search

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Limits of a mapping that its index doesn't set.
const (
	defaultFieldLimit = 1000
	defaultDepthLimit = 20
)

// defaultIgnoreAbove is that of the keyword below a dynamic text field.
const defaultIgnoreAbove = 256

// mapping is one field of an index, or the root of all. It is never changed once
// an index has it: a change makes a copy.
type mapping struct {
	name string
	path string // full name, empty for the root
	typ  string // "object", "nested" or the type of a leaf

	props   map[string]*mapping // of an object or a nested field
	inRoot  bool                // of a nested field: include_in_root or include_in_parent
	dynamic string              // of an object: "", "true", "false", "strict", "runtime" is not supported
	enabled bool                // of an object

	fields      map[string]*mapping // multi-fields of a leaf
	indexed     bool
	docValues   bool
	ignoreAbove int // 0: no limit
	nullValue   *node
	format      *dateFormat
	malformedOK bool // ignore_malformed
	aliasOf     string
	copyTo      []string
	depthLimit  int // of a flattened field

	params object // of a leaf, beyond its type, as they are shown

	// Of the root alone.
	meta          *node
	templates     []dynamicTemplate
	templatesRaw  *node
	dateDetection *bool
	numberDetect  bool
}

// dynamicTemplate decides how a new field is mapped.
type dynamicTemplate struct {
	matchType    []string
	match        []string
	unmatch      []string
	pathMatch    []string
	pathUnmatch  []string
	mapping      *node
	templateName string
}

func newRoot() *mapping {
	return &mapping{typ: "object", enabled: true, props: map[string]*mapping{}}
}

// leafTypes are the types that a field can have, with their parameters.
var leafTypes = map[string][]string{
	"keyword":    {"index", "doc_values", "ignore_above", "null_value", "fields", "eager_global_ordinals", "norms", "meta", "store", "copy_to", "index_options", "split_queries_on_whitespace"},
	"text":       {"index", "analyzer", "search_analyzer", "fields", "norms", "meta", "store", "index_options", "copy_to"},
	"long":       numericParams,
	"integer":    numericParams,
	"short":      numericParams,
	"byte":       numericParams,
	"double":     numericParams,
	"float":      numericParams,
	"half_float": numericParams,
	"boolean":    {"index", "doc_values", "null_value", "fields", "meta", "store", "copy_to", "ignore_malformed"},
	"date":       {"index", "doc_values", "null_value", "fields", "format", "ignore_malformed", "meta", "store", "locale", "copy_to"},
	"ip":         {"index", "doc_values", "null_value", "fields", "ignore_malformed", "meta", "store", "copy_to"},
	"geo_point":  {"index", "doc_values", "null_value", "fields", "ignore_malformed", "ignore_z_value", "meta", "store", "copy_to"},
	"flattened":  {"index", "doc_values", "null_value", "ignore_above", "depth_limit", "eager_global_ordinals", "meta", "split_queries_on_whitespace"},
	"binary":     {"doc_values", "meta", "store"},
	"alias":      {"path"},
}

var numericParams = []string{"index", "doc_values", "null_value", "coerce", "ignore_malformed", "fields", "meta", "store", "copy_to"}

func mapperError(format string, args ...any) *apiError {
	return newError(http.StatusBadRequest, "mapper_parsing_exception", format, args...)
}

// failedMapping wraps an error the way a request with a mapping in it shows it.
func failedMapping(e *apiError) *apiError {
	if e == nil || e.typ != "mapper_parsing_exception" || e.direct {
		return e
	}
	wrapped := mapperError("Failed to parse mapping: %s", e.reason)
	wrapped.root, wrapped.cause = e, e
	return wrapped
}

// failedParameter is a parameter of a mapping whose value Java code refuses.
func failedParameter(reason string, cause *apiError) *apiError {
	e := mapperError("Failed to parse mapping: %s", reason)
	e.direct = true
	e.cause = illegalArgument("%s", reason)
	e.cause.cause = cause
	return e
}

// checkAliases reports fields that are other names of fields that don't exist.
func (m *mapping) checkAliases(root *mapping) *apiError {
	for _, name := range slices.Sorted(maps.Keys(m.props)) {
		c := m.props[name]
		if c.typ == "alias" && root.find(c.aliasOf) == nil {
			e := mapperError("Invalid [path] value [%s] for field alias [%s]: an alias must refer to an existing field in the mappings.", c.aliasOf, c.path)
			e.direct = true
			return e
		}
		if err := c.checkAliases(root); err != nil {
			return err
		}
	}
	return nil
}

// parseMapping reads the "mappings" of a request.
func parseMapping(n *node) (*mapping, *apiError) {
	root := newRoot()
	if n == nil {
		return root, nil
	}
	if n.kind != kindObject {
		return nil, mapperError("Expected map for root mapping but got [%s]", n.raw())
	}
	if len(n.members) == 1 && n.members[0].name == "_doc" {
		return nil, illegalArgument("The mapping definition cannot be nested under a type [_doc] unless include_type_name is set to true.")
	}
	for _, m := range n.members {
		switch m.name {
		case "properties":
			if err := root.parseProps(m.value); err != nil {
				return nil, err
			}
		case "dynamic":
			if err := root.parseDynamic(m.value); err != nil {
				return nil, err
			}
		case "dynamic_templates":
			templates, err := parseDynamicTemplates(m.value)
			if err != nil {
				return nil, err
			}
			root.templates, root.templatesRaw = templates, m.value
		case "_meta":
			root.meta = m.value
		case "date_detection":
			on := m.value.kind != kindFalse
			root.dateDetection = &on
		case "numeric_detection":
			root.numberDetect = m.value.kind == kindTrue
		default:
			return nil, mapperError("Root mapping definition has unsupported parameters:  [%s : %s]", m.name, javaString(m.value))
		}
	}
	return root, nil
}

// javaString shows a value as Java's maps and lists do.
func javaString(n *node) string {
	switch n.kind {
	case kindObject:
		var parts []string
		for _, m := range n.members {
			parts = append(parts, m.name+"="+javaString(m.value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case kindArray:
		var parts []string
		for _, e := range n.elements {
			parts = append(parts, javaString(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case kindString, kindNumber:
		return n.text
	default:
		return string(n.raw())
	}
}

func (m *mapping) parseDynamic(n *node) *apiError {
	text, _ := n.scalar()
	switch strings.ToLower(text) {
	case "true", "false", "strict":
		m.dynamic = strings.ToLower(text)
		return nil
	case "runtime":
		return unsupported("dynamic [runtime]")
	default:
		e := failedParameter("Could not convert [dynamic.dynamic] to boolean", nil)
		e.cause.cause = illegalArgument("Failed to parse value [%s] as only [true] or [false] are allowed.", text)
		return e
	}
}

func (m *mapping) parseProps(n *node) *apiError {
	if n.kind == kindArray && len(n.elements) == 0 {
		return nil
	}
	if n.kind != kindObject {
		e := newError(http.StatusBadRequest, "parse_exception", "properties must be a map type")
		wrapped := mapperError("Failed to parse mapping: %s", e.reason)
		wrapped.root, wrapped.cause, wrapped.direct = e, e, true
		return wrapped
	}
	for _, f := range n.members {
		if strings.TrimSpace(f.name) == "" {
			return illegalArgument("field name cannot be an empty string")
		}
		parent, name := m, f.name
		for {
			head, rest, dotted := strings.Cut(name, ".")
			if !dotted {
				break
			}
			child := parent.props[head]
			if child == nil {
				child = parent.newObject(head)
				parent.props[head] = child
			}
			parent, name = child, rest
		}
		child, err := parent.parseField(name, f.value)
		if err != nil {
			return err
		}
		parent.props[name] = child
	}
	return nil
}

func (m *mapping) join(name string) string {
	if m.path == "" {
		return name
	}
	return m.path + "." + name
}

func (m *mapping) newObject(name string) *mapping {
	return &mapping{name: name, path: m.join(name), typ: "object", enabled: true, props: map[string]*mapping{}}
}

// parseField reads the definition of one field below m.
func (m *mapping) parseField(name string, n *node) (*mapping, *apiError) {
	if n.kind != kindObject {
		return nil, mapperError("Expected map for property [fields] on field [%s] but got a class java.lang.String", name)
	}
	typ := "object"
	if t := n.get("type"); t != nil {
		typ = t.text
	} else if n.get("properties") == nil && n.get("dynamic") == nil && n.get("enabled") == nil {
		return nil, mapperError("No type specified for field [%s]", name)
	}
	if typ == "object" || typ == "nested" {
		return m.parseObject(name, typ, n)
	}
	return m.parseLeaf(name, typ, n, true)
}

func (m *mapping) parseObject(name, typ string, n *node) (*mapping, *apiError) {
	o := m.newObject(name)
	o.typ = typ
	for _, p := range n.members {
		switch p.name {
		case "type":
		case "properties":
			if err := o.parseProps(p.value); err != nil {
				return nil, err
			}
		case "dynamic":
			if err := o.parseDynamic(p.value); err != nil {
				return nil, err
			}
		case "enabled":
			o.enabled = p.value.kind != kindFalse && p.value.text != "false"
		case "include_in_parent", "include_in_root":
			if typ != "nested" {
				return nil, mapperError("Mapping definition for [%s] has unsupported parameters:  [%s : %s]", name, p.name, javaString(p.value))
			}
			if on := p.value.kind == kindTrue || p.value.text == "true"; on {
				o.inRoot = true
				o.params.set(p.name, true)
			}
		default:
			return nil, mapperError("Mapping definition for [%s] has unsupported parameters:  [%s : %s]", name, p.name, javaString(p.value))
		}
	}
	return o, nil
}

func (m *mapping) parseLeaf(name, typ string, n *node, multi bool) (*mapping, *apiError) {
	known, ok := leafTypes[typ]
	if !ok {
		return nil, mapperError("No handler for type [%s] declared on field [%s]", typ, name)
	}
	leaf := newLeaf(name, m.join(name), typ)
	for _, p := range n.members {
		if p.name == "type" {
			continue
		}
		if !slices.Contains(known, p.name) || p.name == "fields" && !multi {
			return nil, mapperError("unknown parameter [%s] on mapper [%s] of type [%s]", p.name, name, typ)
		}
		if err := leaf.parseParam(p.name, p.value); err != nil {
			return nil, err
		}
	}
	if typ == "alias" && leaf.aliasOf == "" {
		return nil, mapperError("The [path] property must be specified for field [%s].", name)
	}
	return leaf, nil
}

func newLeaf(name, path, typ string) *mapping {
	leaf := &mapping{name: name, path: path, typ: typ, indexed: typ != "binary", docValues: typ != "text" && typ != "binary", depthLimit: defaultDepthLimit}
	if typ == "date" {
		leaf.format = mustDateFormat(defaultDateFormat)
	}
	return leaf
}

func (m *mapping) parseParam(name string, v *node) *apiError {
	text, _ := v.scalar()
	flag := func() (bool, *apiError) {
		if text != "true" && text != "false" {
			return false, mapperError("Failed to parse value [%s] as only [true] or [false] are allowed.", javaString(v))
		}
		return text == "true", nil
	}
	var err *apiError
	switch name {
	case "index":
		if m.indexed, err = flag(); err != nil {
			return err
		}
		if m.indexed {
			return nil
		}
	case "doc_values":
		if m.docValues, err = flag(); err != nil {
			return err
		}
		if m.docValues {
			return nil
		}
	case "ignore_malformed":
		if m.malformedOK, err = flag(); err != nil {
			return err
		}
	case "ignore_above":
		n, convErr := strconv.Atoi(text)
		if convErr != nil {
			return newError(http.StatusBadRequest, "number_format_exception", "For input string: \"%s\"", text)
		}
		m.ignoreAbove = n
		m.params.set(name, n)
		return nil
	case "null_value":
		if v.kind == kindNull {
			return nil
		}
		m.nullValue = v
	case "format":
		f, formatErr := newDateFormat(text)
		if formatErr != nil {
			return failedParameter(fmt.Sprintf("Error parsing [format] on field [%s]: %s", m.name, formatErr.reason), formatErr)
		}
		m.format = f
	case "fields":
		return m.parseMultiFields(v)
	case "analyzer", "search_analyzer":
		if text != "standard" && text != "default" {
			return failedParameter(fmt.Sprintf("analyzer [%s] has not been configured in mappings", text), nil)
		}
	case "store", "coerce", "eager_global_ordinals", "norms":
		on, flagErr := flag()
		if flagErr != nil {
			return flagErr
		}
		usual := name == "coerce" || name == "norms" && m.typ == "text"
		if on == usual {
			return nil
		}
		return unsupported(fmt.Sprintf("[%s: %t] on field [%s]", name, on, m.path))
	case "copy_to":
		m.copyTo = texts(v)
		list := []any{}
		for _, t := range m.copyTo {
			list = append(list, t)
		}
		m.params.set(name, list)
		return nil
	case "depth_limit":
		n, convErr := strconv.Atoi(text)
		if convErr != nil || n < 0 {
			return illegalArgument("[depth_limit] must be positive, got [%s]", text)
		}
		m.depthLimit = n
	case "split_queries_on_whitespace", "ignore_z_value":
		on, flagErr := flag()
		if flagErr != nil {
			return flagErr
		}
		if on == (name == "ignore_z_value") {
			return nil
		}
		return unsupported(fmt.Sprintf("[%s: %t] on field [%s]", name, on, m.path))
	case "index_options":
		if m.typ == "keyword" && text == "docs" {
			return nil
		}
		if text != "positions" {
			return unsupported(fmt.Sprintf("[index_options: %s] on field [%s]", text, m.path))
		}
	case "locale":
		return unsupported(fmt.Sprintf("[locale] on field [%s]", m.path))
	case "path":
		m.aliasOf = text
	}
	m.params.set(name, v)
	return nil
}

func (m *mapping) parseMultiFields(v *node) *apiError {
	if v.kind != kindObject {
		return mapperError("Expected map for property [fields] on field [%s] but got a class java.lang.String", m.name)
	}
	m.fields = map[string]*mapping{}
	for _, f := range v.members {
		typ := f.value.get("type")
		if typ == nil {
			return mapperError("no type specified for property [%s]", f.name)
		}
		if typ.text == "object" || typ.text == "alias" {
			return mapperError("Type [%s] cannot be used in multi field", typ.text)
		}
		leaf, err := m.parseLeaf(f.name, typ.text, f.value, false)
		if err != nil {
			return err
		}
		m.fields[f.name] = leaf
	}
	return nil
}

func parseDynamicTemplates(n *node) ([]dynamicTemplate, *apiError) {
	if n.kind != kindArray {
		return nil, mapperError("Dynamic template syntax error. An array of named objects is expected.")
	}
	var templates []dynamicTemplate
	for _, e := range n.elements {
		if e.kind != kindObject || len(e.members) != 1 {
			return nil, mapperError("A dynamic template must be defined with a name")
		}
		t := dynamicTemplate{templateName: e.members[0].name}
		for _, p := range e.members[0].value.members {
			var texts []string
			for _, v := range p.value.list() {
				texts = append(texts, v.text)
			}
			switch p.name {
			case "match_mapping_type":
				t.matchType = texts
			case "match":
				t.match = texts
			case "unmatch":
				t.unmatch = texts
			case "path_match":
				t.pathMatch = texts
			case "path_unmatch":
				t.pathUnmatch = texts
			case "mapping":
				t.mapping = p.value
			default:
				return nil, failedParameter(fmt.Sprintf("Illegal dynamic template parameter: [%s]", p.name), nil)
			}
		}
		if t.mapping == nil {
			return nil, mapperError("template [%s] must have either mapping or runtime set", t.templateName)
		}
		templates = append(templates, t)
	}
	return templates, nil
}

// render is the mapping as it is shown.
func (m *mapping) render() object {
	o := object{}
	if m.typ != "object" && m.typ != "nested" {
		o = append(o, field{"type", m.typ})
		for _, name := range []string{"index", "doc_values"} {
			if v, ok := m.params.get(name); ok {
				o = append(o, field{name, v})
			}
		}
		for _, p := range m.params {
			if p.name != "index" && p.name != "doc_values" && p.name != "fields" {
				o = append(o, p)
			}
		}
		if len(m.fields) > 0 {
			o = append(o, field{"fields", renderAll(m.fields)})
		}
		return o
	}
	if m.dynamic != "" {
		o = append(o, field{"dynamic", m.dynamic})
	}
	if m.templatesRaw != nil {
		o = append(o, field{"dynamic_templates", m.templatesRaw})
	}
	if m.meta != nil {
		o = append(o, field{"_meta", m.meta})
	}
	if m.dateDetection != nil {
		o = append(o, field{"date_detection", *m.dateDetection})
	}
	if m.numberDetect {
		o = append(o, field{"numeric_detection", true})
	}
	switch {
	case m.typ == "nested":
		o = append(append(object{{"type", "nested"}}, m.params...), o...)
		if len(m.props) > 0 {
			o = append(o, field{"properties", renderAll(m.props)})
		}
	case !m.enabled:
		o = append(object{{"type", "object"}, {"enabled", false}}, o...)
	case len(m.props) > 0:
		o = append(o, field{"properties", renderAll(m.props)})
	case m.path != "":
		o = append(object{{"type", "object"}}, o...)
	}
	return o
}

func renderAll(fields map[string]*mapping) object {
	o := object{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		o = append(o, field{name, fields[name].render()})
	}
	return o
}

// merge gives a mapping with what another adds. What can't be changed is an
// error.
func (m *mapping) merge(other *mapping) (*mapping, *apiError) {
	if m.typ != other.typ {
		if m.typ == "nested" || other.typ == "nested" {
			if m.typ == "object" || other.typ == "object" {
				return nil, illegalArgument("can't merge a non-nested mapping [%s] with a nested mapping", m.path)
			}
		}
		if m.typ == "object" {
			return nil, illegalArgument("can't merge a non object mapping [%s] with an object mapping", m.path)
		}
		if other.typ == "object" {
			return nil, illegalArgument("can't merge a non object mapping [%s] with an object mapping", m.path)
		}
		return nil, illegalArgument("mapper [%s] cannot be changed from type [%s] to [%s]", m.path, m.typ, other.typ)
	}
	merged := *m
	if m.typ != "object" && m.typ != "nested" {
		return m.mergeLeaf(&merged, other)
	}
	merged.props = maps.Clone(m.props)
	for name, field := range other.props {
		if old, ok := merged.props[name]; ok {
			both, err := old.merge(field)
			if err != nil {
				return nil, err
			}
			field = both
		}
		merged.props[name] = field
	}
	if other.dynamic != "" {
		merged.dynamic = other.dynamic
	}
	if other.meta != nil {
		merged.meta = other.meta
	}
	if other.templatesRaw != nil {
		merged.templates, merged.templatesRaw = other.templates, other.templatesRaw
	}
	if other.dateDetection != nil {
		merged.dateDetection = other.dateDetection
	}
	merged.numberDetect = m.numberDetect || other.numberDetect
	return &merged, nil
}

func (m *mapping) mergeLeaf(merged, other *mapping) (*mapping, *apiError) {
	fixed := func(name string, was, is any) *apiError {
		return illegalArgument("Mapper for [%s] conflicts with existing mapper:\n\tCannot update parameter [%s] from [%v] to [%v]", m.path, name, was, is)
	}
	switch {
	case m.indexed != other.indexed:
		return nil, fixed("index", m.indexed, other.indexed)
	case m.docValues != other.docValues:
		return nil, fixed("doc_values", m.docValues, other.docValues)
	case m.format != nil && m.format.name != other.format.name:
		return nil, fixed("format", m.format.name, other.format.name)
	}
	merged.params = other.params
	merged.ignoreAbove, merged.nullValue, merged.malformedOK, merged.aliasOf = other.ignoreAbove, other.nullValue, other.malformedOK, other.aliasOf
	merged.copyTo, merged.depthLimit = other.copyTo, other.depthLimit
	merged.fields = maps.Clone(m.fields)
	for name, field := range other.fields {
		if old, ok := m.fields[name]; ok {
			both, err := old.merge(field)
			if err != nil {
				return nil, err
			}
			field = both
		}
		if merged.fields == nil {
			merged.fields = map[string]*mapping{}
		}
		merged.fields[name] = field
	}
	return merged, nil
}

// lookup finds a field by its full name, multi-fields and aliases included.
func (m *mapping) lookup(path string) *mapping {
	found := m.find(path)
	if found != nil && found.typ == "alias" {
		return m.find(found.aliasOf)
	}
	return found
}

func (m *mapping) find(path string) *mapping {
	current := m
	rest := path
	for rest != "" {
		name, after, _ := strings.Cut(rest, ".")
		var next *mapping
		switch current.typ {
		case "object", "nested":
			next = current.props[name]
		case "flattened":
			return current.key(rest)
		default:
			next = current.fields[name]
		}
		if next == nil {
			return nil
		}
		current, rest = next, after
	}
	return current
}

// key is the field of one key of a flattened field.
func (m *mapping) key(name string) *mapping {
	return &mapping{name: name, path: flattenedPath(m.path, name), typ: "flattened", indexed: m.indexed, docValues: m.docValues}
}

// flattenedPath is the name in the inverted index of a flattened field's key.
func flattenedPath(path, key string) string { return path + "\x02" + key }

// sourcePath is where in the source the values of a field stand: a multi-field
// has those of its parent.
func (m *mapping) sourcePath(f *mapping) string {
	current, path := m, []string{}
	for name := range strings.SplitSeq(f.path, ".") {
		if current.typ != "object" && current.typ != "nested" {
			break
		}
		path = append(path, name)
		if current = current.props[name]; current == nil {
			return f.path
		}
	}
	return strings.Join(path, ".")
}

// all calls f with every field below m, objects included, by name.
func (m *mapping) all(f func(*mapping)) {
	children := m.props
	if m.typ != "object" && m.typ != "nested" {
		children = m.fields
	}
	for _, name := range slices.Sorted(maps.Keys(children)) {
		f(children[name])
		children[name].all(f)
	}
}

// leaves calls f with every leaf below m, multi-fields included, by name.
func (m *mapping) leaves(f func(*mapping)) {
	children := m.props
	if m.typ != "object" && m.typ != "nested" {
		f(m)
		children = m.fields
	}
	for _, name := range slices.Sorted(maps.Keys(children)) {
		children[name].leaves(f)
	}
}

// count is the number of fields below m, objects and multi-fields included.
func (m *mapping) count() int {
	n := 0
	for _, c := range m.props {
		n += 1 + c.count()
	}
	return n + len(m.fields)
}
