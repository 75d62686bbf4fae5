package function

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// jsonNode is a JSON value that keeps the order of members and the digits of
// numbers.
type jsonNode struct {
	kind    jsonKind
	text    string
	elems   []*jsonNode
	members []jsonMember
}

type jsonMember struct {
	name  string
	value *jsonNode
}

type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonTrue
	jsonFalse
	jsonInt
	jsonFloat
	jsonString
	jsonArray
	jsonObject
)

// parseJSON reads the first JSON value of a text; what follows it is passed
// over, as ksqlDB does. An empty text gives nil.
func parseJSON(s string) (*jsonNode, error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	n, err := readJSON(d, 0)
	if errors.Is(err, io.EOF) && strings.TrimSpace(s) == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("Invalid JSON format:%s: %w", s, err)
	}
	return n, nil
}

// maxJSONDepth is how deep JSON may be nested, as in ksqlDB's parser.
const maxJSONDepth = 1000

func readJSON(d *json.Decoder, depth int) (*jsonNode, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("nested more than %d levels deep", maxJSONDepth)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case bool:
		if t {
			return &jsonNode{kind: jsonTrue}, nil
		}
		return &jsonNode{kind: jsonFalse}, nil
	case json.Number:
		return jsonNumber(t.String())
	case string:
		return &jsonNode{kind: jsonString, text: t}, nil
	case json.Delim:
		if t == '[' {
			return readJSONArray(d, depth+1)
		}
		return readJSONObject(d, depth+1)
	default:
		return &jsonNode{}, nil
	}
}

func jsonNumber(text string) (*jsonNode, error) {
	if !strings.ContainsAny(text, ".eE") {
		return &jsonNode{kind: jsonInt, text: text}, nil
	}
	d, err := types.ParseDecimal(text)
	if err != nil {
		return nil, err
	}
	return &jsonNode{kind: jsonFloat, text: types.DecimalText(d)}, nil
}

func readJSONArray(d *json.Decoder, depth int) (*jsonNode, error) {
	n := &jsonNode{kind: jsonArray}
	for d.More() {
		e, err := readJSON(d, depth)
		if err != nil {
			return nil, err
		}
		n.elems = append(n.elems, e)
	}
	_, err := d.Token()
	return n, err
}

func readJSONObject(d *json.Decoder, depth int) (*jsonNode, error) {
	n := &jsonNode{kind: jsonObject}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := readJSON(d, depth)
		if err != nil {
			return nil, err
		}
		n.set(fmt.Sprint(name), v)
	}
	_, err := d.Token()
	return n, err
}

func (n *jsonNode) set(name string, v *jsonNode) {
	for i := range n.members {
		if n.members[i].name == name {
			n.members[i].value = v
			return
		}
	}
	n.members = append(n.members, jsonMember{name, v})
}

func (n *jsonNode) get(name string) *jsonNode {
	for i := range n.members {
		if n.members[i].name == name {
			return n.members[i].value
		}
	}
	return nil
}

func (n *jsonNode) append(dst []byte) []byte {
	switch n.kind {
	case jsonNull:
		return append(dst, "null"...)
	case jsonTrue:
		return append(dst, "true"...)
	case jsonFalse:
		return append(dst, "false"...)
	case jsonString:
		return appendJSONString(dst, n.text)
	case jsonArray:
		dst = append(dst, '[')
		for i, e := range n.elems {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.append(dst)
		}
		return append(dst, ']')
	case jsonObject:
		dst = append(dst, '{')
		for i, m := range n.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendJSONString(dst, m.name), ':')
			dst = m.value.append(dst)
		}
		return append(dst, '}')
	default:
		return append(dst, n.text...)
	}
}

func (n *jsonNode) String() string { return string(n.append(nil)) }

// plain is the content of a string, the JSON of anything else.
func (n *jsonNode) plain() string {
	if n.kind == jsonString {
		return n.text
	}
	return n.String()
}

// appendJSONString escapes as Jackson does: quotes, backslashes and control
// characters only.
func appendJSONString(dst []byte, s string) []byte {
	const hexDigits = "0123456789ABCDEF"
	dst = append(dst, '"')
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '\\')
		switch c {
		case '"', '\\':
			dst = append(dst, c)
		case '\b':
			dst = append(dst, 'b')
		case '\t':
			dst = append(dst, 't')
		case '\n':
			dst = append(dst, 'n')
		case '\f':
			dst = append(dst, 'f')
		case '\r':
			dst = append(dst, 'r')
		default:
			dst = append(dst, 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(dst, '"')
}
