package jsonschema

import (
	"net/url"
	"strconv"
	"strings"
)

// documents are what references can lead to.
type documents struct {
	texts   map[string]string  // by absolute URI without a fragment
	loaders map[string]*loader // those read
	targets map[string]*node   // what a reference leads to, by absolute URI
}

func newDocuments(base string, references map[string]string) *documents {
	d := &documents{texts: map[string]string{}, loaders: map[string]*loader{}, targets: map[string]*node{}}
	for name, text := range references {
		d.texts[name] = text
		d.texts[resolve(base, name)] = text
	}
	return d
}

// relativeRoot stands before URIs that are not absolute while they are resolved.
const relativeRoot = "relative://root/"

// resolve gives a reference in the scope of a URI.
func resolve(scope, reference string) string {
	switch {
	case reference == "":
		return scope
	case strings.HasPrefix(reference, "#"):
		bare, _, _ := strings.Cut(scope, "#")
		return bare + reference
	case strings.HasPrefix(reference, "urn:") || strings.HasPrefix(scope, "urn:"):
		return reference
	}
	base, err := url.Parse(scope)
	if err != nil {
		return reference
	}
	ref, err := url.Parse(reference)
	if err != nil {
		return reference
	}
	if base.IsAbs() {
		return base.ResolveReference(ref).String()
	}
	root, err := url.Parse(relativeRoot)
	if err != nil {
		return reference
	}
	return strings.TrimPrefix(root.ResolveReference(base).ResolveReference(ref).String(), relativeRoot)
}

// reference gives the node that a reference leads to, one for each target. It
// may still be loading when a schema refers to itself.
func (l *loader) reference(ref, scope string, depth int) *node {
	if scope == "" {
		scope = l.base
	}
	absolute := resolve(scope, ref)
	key := l.base + " " + absolute
	if target := l.documents.targets[key]; target != nil {
		return target
	}
	target := new(node)
	l.documents.targets[key] = target
	owner, v, within := l.find(absolute)
	if owner == nil {
		l.fail("%s leads nowhere", ref)
		return target
	}
	*target = *owner.node(v, within, depth+1)
	if owner.err != nil {
		l.fail("%s: %w", ref, owner.err)
	}
	return target
}

// find gives what an absolute reference names, the loader of its document and
// the scope in which it stands; nil when there is no such thing.
func (l *loader) find(absolute string) (owner *loader, found value, scope string) {
	bare, fragment, _ := strings.Cut(absolute, "#")
	if o := l.byID(l.root, "", absolute, 0); o != nil {
		return l, o, ""
	}
	owner = l
	if own, _, _ := strings.Cut(l.base, "#"); bare != own {
		if owner = l.document(bare); owner == nil {
			if o := l.byID(l.root, "", bare, 0); o != nil {
				v, ok := pointer(o, fragment)
				if ok {
					return l, v, bare
				}
			}
			return nil, nil, ""
		}
	}
	if fragment == "" || strings.HasPrefix(fragment, "/") {
		v, ok := pointer(owner.root, fragment)
		if !ok {
			return nil, nil, ""
		}
		return owner, v, owner.base
	}
	if o := owner.byID(owner.root, "", resolve(owner.base, "#"+fragment), 0); o != nil {
		return owner, o, owner.base
	}
	return nil, nil, ""
}

// document gives the loader of another document.
func (l *loader) document(uri string) *loader {
	if other := l.documents.loaders[uri]; other != nil {
		return other
	}
	text, ok := l.documents.texts[uri]
	if !ok {
		text, ok = l.documents.texts["./"+uri]
	}
	if !ok {
		return nil
	}
	root, err := decode(text)
	if err != nil {
		return nil
	}
	other := &loader{dialect: l.dialect, documents: l.documents, root: root, base: uri}
	l.documents.loaders[uri] = other
	return other
}

// byID gives the subschema with an absolute id or anchor.
func (l *loader) byID(v value, scope, absolute string, depth int) *object {
	if depth > maxDepth {
		return nil
	}
	switch v := v.(type) {
	case []value:
		for _, e := range v {
			if o := l.byID(e, scope, absolute, depth+1); o != nil {
				return o
			}
		}
	case *object:
		if id := l.idOf(v); id != "" {
			if scope = resolve(scope, id); scope == absolute && depth > 0 {
				return v
			}
		}
		if anchor, ok := v.members["$anchor"].(string); ok && l.dialect >= draft2019 && resolve(scope, "#"+anchor) == absolute {
			return v
		}
		for _, key := range v.keys {
			if key == "enum" || key == "const" || key == "default" || key == "examples" {
				continue
			}
			if o := l.byID(v.members[key], scope, absolute, depth+1); o != nil {
				return o
			}
		}
	}
	return nil
}

// pointer follows a JSON pointer.
func pointer(v value, path string) (value, bool) {
	if path == "" {
		return v, true
	}
	for part := range strings.SplitSeq(path[1:], "/") {
		if plain, err := url.PathUnescape(part); err == nil {
			part = plain
		}
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		switch in := v.(type) {
		case *object:
			next, ok := in.get(part)
			if !ok {
				return nil, false
			}
			v = next
		case []value:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(in) {
				return nil, false
			}
			v = in[i]
		default:
			return nil, false
		}
	}
	return v, true
}
