package search

import (
	"unicode"

	"github.com/blevesearch/segment"
)

// maxTokenLength is where the standard analyzer cuts a token.
const maxTokenLength = 255

// token is a term with its place in the text, counted in UTF-16 units.
type token struct {
	text       string
	start, end int
	position   int
	kind       string
}

// analyzeText is the "standard" analyzer: words by Unicode's rules (UAX #29),
// lower case, no stop words. position is that of the first token.
func analyzeText(text string, position int) []token {
	var tokens []token
	seg := segment.NewWordSegmenterDirect([]byte(text))
	offset := 0
	for seg.Segment() {
		word := seg.Bytes()
		units := utf16Length(word)
		if kind := tokenKind(seg.Type()); kind != "" {
			start := offset
			for _, piece := range cut(string(word)) {
				n := utf16Length([]byte(piece))
				tokens = append(tokens, token{text: toLower(piece), start: start, end: start + n, position: position, kind: kind})
				start += n
				position++
			}
		}
		offset += units
	}
	return tokens
}

func tokenKind(typ int) string {
	switch typ {
	case segment.Number:
		return "<NUM>"
	case segment.Letter:
		return "<ALPHANUM>"
	case segment.Kana:
		return "<KATAKANA>"
	case segment.Ideo:
		return "<IDEOGRAPHIC>"
	default:
		return ""
	}
}

func utf16Length(b []byte) int {
	n := 0
	for _, r := range string(b) {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// cut splits a word that is too long for one token.
func cut(word string) []string {
	if len(word) <= maxTokenLength {
		return []string{word}
	}
	var pieces []string
	runes := []rune(word)
	for len(runes) > maxTokenLength {
		pieces = append(pieces, string(runes[:maxTokenLength]))
		runes = runes[maxTokenLength:]
	}
	return append(pieces, string(runes))
}

// toLower maps each character by itself, as Lucene does.
func toLower(s string) string {
	out := []rune(s)
	for i, r := range out {
		out[i] = unicode.ToLower(r)
	}
	return string(out)
}
