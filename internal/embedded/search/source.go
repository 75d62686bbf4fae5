package search

import (
	"strings"
)

// sourceFilter chooses parts of a document.
type sourceFilter struct {
	none     bool
	includes []string
	excludes []string
}

// parseSourceFilter reads a "_source" of a body.
func parseSourceFilter(n *node) (*sourceFilter, *apiError) {
	f := &sourceFilter{}
	texts := func(n *node) ([]string, *apiError) {
		var list []string
		for _, e := range n.list() {
			if e.kind != kindString {
				return nil, parsingError(n.src, e.start, "Unknown key for a %s in [_source].", e.token())
			}
			list = append(list, e.text)
		}
		return list, nil
	}
	var err *apiError
	switch n.kind {
	case kindTrue:
	case kindFalse:
		f.none = true
	case kindString, kindArray:
		f.includes, err = texts(n)
	case kindObject:
		for _, m := range n.members {
			switch m.name {
			case "includes", "include":
				f.includes, err = texts(m.value)
			case "excludes", "exclude":
				f.excludes, err = texts(m.value)
			default:
				return nil, parsingError(n.src, m.value.start, "Unknown key for a %s in [%s].", m.value.token(), m.name)
			}
			if err != nil {
				return nil, err
			}
		}
	default:
		return nil, parsingError(n.src, n.start, "Expected one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT] but found [%s]", n.token())
	}
	return f, err
}

// sourceParams reads the parameters that choose parts of a document; nil when
// there are none.
func (c *call) sourceParams() *sourceFilter {
	var f *sourceFilter
	use := func() *sourceFilter {
		if f == nil {
			f = &sourceFilter{}
		}
		return f
	}
	if c.has("_source") {
		switch v := c.query.Get("_source"); v {
		case "true", "":
			use()
		case "false":
			use().none = true
		default:
			use().includes = strings.Split(v, ",")
		}
	}
	for _, name := range []string{"_source_includes", "_source_include"} {
		if v := c.param(name); v != "" {
			use().includes = strings.Split(v, ",")
		}
	}
	for _, name := range []string{"_source_excludes", "_source_exclude"} {
		if v := c.param(name); v != "" {
			use().excludes = strings.Split(v, ",")
		}
	}
	return f
}

// apply gives what the filter leaves of a source.
func (f *sourceFilter) apply(source []byte) (any, error) {
	n, _, err := parseJSON(source)
	if err != nil {
		return nil, syntaxError(err)
	}
	if f == nil || len(f.includes) == 0 && len(f.excludes) == 0 {
		return n, nil
	}
	kept, _ := f.filter(n, "", len(f.includes) == 0)
	if kept == nil {
		return object{}, nil
	}
	return kept, nil
}

// filter keeps what is included below a path; in says that a parent is.
func (f *sourceFilter) filter(n *node, path string, in bool) (any, bool) {
	switch n.kind {
	case kindObject:
		o := object{}
		for _, m := range n.members {
			full := m.name
			if path != "" {
				full = path + "." + m.name
			}
			if matchAny(f.excludes, full) {
				continue
			}
			included := in || matchAny(f.includes, full)
			if !included && (m.value.kind != kindObject && m.value.kind != kindArray || !f.below(full)) {
				continue
			}
			if value, ok := f.filter(m.value, full, included); ok {
				o = append(o, field{m.name, value})
			}
		}
		return o, in || len(o) > 0
	case kindArray:
		list := []any{}
		for _, e := range n.elements {
			if value, ok := f.filter(e, path, in); ok {
				list = append(list, value)
			}
		}
		return list, in || len(list) > 0
	default:
		return n, in
	}
}

// below reports whether an include may match something below a path.
func (f *sourceFilter) below(path string) bool {
	for _, p := range f.includes {
		if strings.HasPrefix(p, path+".") {
			return true
		}
		if head, _, ok := strings.Cut(p, "*"); ok && (strings.HasPrefix(path+".", head) || strings.HasPrefix(head, path+".")) {
			return true
		}
	}
	return false
}
