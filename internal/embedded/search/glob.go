package search

import (
	"bytes"
	"unicode/utf8"
)

// glob is a pattern of a wildcard query: texts with any letters between them.
type glob struct {
	parts    []globPart // by the asterisks between them
	anchored bool       // the first one has to be at the beginning
	ends     bool       // the last one has to be at the end
}

// globPart is a text in which some letters may be any.
type globPart struct {
	text []byte
	open []bool // by byte of text: any letter may stand there; nil when none may
}

// parseGlob reads a pattern: * stands for any letters, ? for one, and \ takes the
// meaning from the next letter.
func parseGlob(pattern string) *glob {
	g := &glob{anchored: true, ends: true}
	part, open := globPart{}, false
	finish := func() {
		if len(part.text) > 0 {
			if !open {
				part.open = nil
			}
			g.parts = append(g.parts, part)
		}
		part, open = globPart{}, false
	}
	for i := 0; i < len(pattern); i++ {
		c, any := pattern[i], false
		g.ends = c != '*'
		switch {
		case c == '*':
			finish()
			if len(g.parts) == 0 {
				g.anchored = false
			}
			continue
		case c == '?':
			any = true
		case c == '\\' && i+1 < len(pattern):
			i++
			c = pattern[i]
		}
		open = open || any
		part.text, part.open = append(part.text, c), append(part.open, any)
	}
	finish()
	return g
}

// prefix is the text that all matches begin with.
func (g *glob) prefix() string {
	if !g.anchored || len(g.parts) == 0 {
		return ""
	}
	first := g.parts[0]
	for i, open := range first.open {
		if open {
			return string(first.text[:i])
		}
	}
	return string(first.text)
}

// suffix is a text that all matches end with.
func (g *glob) suffix() string {
	if !g.ends || len(g.parts) == 0 {
		return ""
	}
	if last := g.parts[len(g.parts)-1]; last.open == nil {
		return string(last.text)
	}
	return ""
}

// match reports whether a text is of the form.
func (g *glob) match(text []byte) bool {
	parts := g.parts
	if len(parts) == 0 {
		return !(g.anchored && g.ends) || len(text) == 0
	}
	if g.anchored {
		n, ok := parts[0].begins(text)
		if !ok {
			return false
		}
		text, parts = text[n:], parts[1:]
		if len(parts) == 0 {
			return !g.ends || len(text) == 0
		}
	}
	last := len(parts)
	if g.ends {
		last--
	}
	for _, part := range parts[:last] {
		n, ok := part.find(text)
		if !ok {
			return false
		}
		text = text[n:]
	}
	return !g.ends || parts[last].finishes(text)
}

// begins reports whether a text begins with the part, and how long that is.
func (p *globPart) begins(text []byte) (int, bool) {
	if p.open == nil {
		return len(p.text), bytes.HasPrefix(text, p.text)
	}
	n := 0
	for i, c := range p.text {
		switch {
		case n >= len(text):
			return 0, false
		case p.open[i]:
			_, size := utf8.DecodeRune(text[n:])
			n += size
		case text[n] != c:
			return 0, false
		default:
			n++
		}
	}
	return n, true
}

// find gives where the first occurrence of the part ends.
func (p *globPart) find(text []byte) (int, bool) {
	if p.open == nil {
		i := bytes.Index(text, p.text)
		return i + len(p.text), i >= 0
	}
	for i := range text {
		if n, ok := p.begins(text[i:]); ok && utf8.RuneStart(text[i]) {
			return i + n, true
		}
	}
	return 0, false
}

// finishes reports whether a text ends with the part.
func (p *globPart) finishes(text []byte) bool {
	if p.open == nil {
		return bytes.HasSuffix(text, p.text)
	}
	for i := len(text); i >= 0; i-- {
		if i < len(text) && !utf8.RuneStart(text[i]) {
			continue
		}
		if n, ok := p.begins(text[i:]); ok && i+n == len(text) {
			return true
		}
	}
	return false
}
