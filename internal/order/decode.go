package order

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxIDBytes bounds the length of an order or payment id; Elasticsearch takes no
// longer document id.
const MaxIDBytes = 512

// FieldError is one thing wrong with a document.
type FieldError struct {
	// Pointer is a JSON Pointer in URI fragment form, such as "#/quantity"; "#" is
	// the document as a whole.
	Pointer string `json:"pointer"`
	// Detail says what is wrong and what is expected.
	Detail string `json:"detail"`
}

// InvalidError lists everything that keeps a document from being taken.
type InvalidError struct {
	Errors []FieldError
}

// Error joins the problems into one line.
func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Errors))
	for i, f := range e.Errors {
		parts[i] = f.Pointer + ": " + f.Detail
	}
	return "invalid document: " + strings.Join(parts, "; ")
}

// DecodeOrder reads a new order: every member of the REST contract, no other one,
// state CREATED. Quantities and prices that a check would refuse are taken. The
// error is an *InvalidError, or that of body.
func DecodeOrder(body io.Reader) (Order, error) {
	d, err := readDocument(body, "id", "customerId", "state", "product", "quantity", "price")
	if err != nil {
		return Order{}, err
	}
	o := Order{
		ID:         d.id("id"),
		CustomerID: d.integer("customerId", math.MinInt64, math.MaxInt64),
		State:      oneOf(d, "state", States),
		Product:    oneOf(d, "product", Products),
		Quantity:   int32(d.integer("quantity", math.MinInt32, math.MaxInt32)),
		Price:      d.number("price"),
	}
	if o.State != "" && o.State != Created {
		d.fail("state", "must be CREATED for a new order; the checks set the other states")
	}
	return o, d.err()
}

// DecodePayment reads a payment. The error is an *InvalidError, or that of body.
func DecodePayment(body io.Reader) (Payment, error) {
	d, err := readDocument(body, "id", "orderId", "ccy", "amount")
	if err != nil {
		return Payment{}, err
	}
	p := Payment{
		ID:       d.id("id"),
		OrderID:  d.id("orderId"),
		Currency: d.currency("ccy"),
		Amount:   d.number("amount"),
	}
	if p.Amount < 0 {
		d.fail("amount", "must not be negative")
	}
	return p, d.err()
}

// DecodeQuantity reads {"quantity": n}, the units of a product that lie in the
// warehouse. The error is an *InvalidError, or that of body.
func DecodeQuantity(body io.Reader) (int32, error) {
	d, err := readDocument(body, "quantity")
	if err != nil {
		return 0, err
	}
	n := int32(d.integer("quantity", 0, math.MaxInt32))
	return n, d.err()
}

// document is a JSON object whose members are still to be interpreted.
type document struct {
	members  map[string]json.RawMessage
	problems []FieldError
}

func invalid(pointer, format string, args ...any) error {
	return &InvalidError{Errors: []FieldError{{Pointer: pointer, Detail: fmt.Sprintf(format, args...)}}}
}

// readDocument reads exactly one JSON object. Unlike encoding/json it takes no
// member in another case, none twice, no invalid UTF-8 and nothing after the object.
func readDocument(body io.Reader, known ...string) (*document, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, invalid("#", "the body is empty; send a JSON object with %s", strings.Join(known, ", "))
	}
	if !utf8.Valid(data) {
		return nil, invalid("#", "the body is not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	first, err := dec.Token()
	if err != nil {
		return nil, invalid("#", "the body is not JSON: %s", jsonProblem(err, dec))
	}
	if first != json.Delim('{') {
		return nil, invalid("#", "must be a JSON object, not %s", kindOf(data))
	}
	d := &document{members: map[string]json.RawMessage{}}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, invalid("#", "the body is not JSON: %s", jsonProblem(err, dec))
		}
		name, ok := token.(string)
		if !ok {
			return nil, invalid("#", "the body is not JSON: a member name must be a string")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, invalid(pointer(name), "the value is not JSON: %s", jsonProblem(err, dec))
		}
		switch _, twice := d.members[name]; {
		case twice:
			d.fail(name, "is given twice")
		case !slices.Contains(known, name):
			d.fail(name, "is not a member of this document; known are "+strings.Join(known, ", "))
		}
		d.members[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, invalid("#", "the body is not JSON: %s", jsonProblem(err, dec))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid("#", "something follows the JSON object; send one object and nothing else")
	}
	return d, nil
}

func jsonProblem(err error, dec *json.Decoder) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends too early"
	}
	return fmt.Sprintf("%v, near byte %d", err, dec.InputOffset())
}

// pointer writes a member name as a JSON Pointer in URI fragment form (RFC 6901, section 6).
func pointer(member string) string {
	member = strings.NewReplacer("~", "~0", "/", "~1").Replace(member)
	var b strings.Builder
	b.WriteString("#/")
	for i := 0; i < len(member); i++ {
		c := member[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func (d *document) fail(member, detail string) {
	d.problems = append(d.problems, FieldError{Pointer: pointer(member), Detail: detail})
}

func (d *document) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	return &InvalidError{Errors: d.problems}
}

// get returns a member that must be there and of a kind ("a string", "a number").
func (d *document) get(member, kind string) (json.RawMessage, bool) {
	raw, ok := d.members[member]
	if !ok {
		d.fail(member, "is missing")
		return nil, false
	}
	if got := kindOf(raw); got != kind {
		d.fail(member, "must be "+kind+", not "+got)
		return nil, false
	}
	return raw, true
}

func (d *document) text(member string) (string, bool) {
	raw, ok := d.get(member, kindString)
	if !ok {
		return "", false
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		d.fail(member, "is not a JSON string: "+err.Error())
		return "", false
	}
	return s, true
}

func (d *document) id(member string) string {
	s, ok := d.text(member)
	if !ok {
		return ""
	}
	switch {
	case strings.TrimSpace(s) == "":
		d.fail(member, "must not be empty")
	case len(s) > MaxIDBytes:
		d.fail(member, fmt.Sprintf("is %d bytes long; at most %d are taken", len(s), MaxIDBytes))
	case strings.ContainsFunc(s, unicode.IsControl):
		d.fail(member, "must not contain control characters")
	case s == "." || s == "..":
		d.fail(member, "must not be . or .., which cannot be part of an address")
	}
	return s
}

// oneOf reads a member whose value must be among allowed.
func oneOf[T ~string](d *document, member string, allowed []T) T {
	s, ok := d.text(member)
	if !ok {
		return ""
	}
	if !slices.Contains(allowed, T(s)) {
		names := make([]string, len(allowed))
		for i, a := range allowed {
			names[i] = string(a)
		}
		d.fail(member, fmt.Sprintf("must be one of %s, not %q", strings.Join(names, ", "), shorten(s)))
		return ""
	}
	return T(s)
}

func (d *document) currency(member string) string {
	s, ok := d.text(member)
	if !ok {
		return ""
	}
	isCode := len(s) == 3
	for _, c := range s {
		isCode = isCode && c >= 'A' && c <= 'Z'
	}
	if !isCode {
		d.fail(member, "must be a currency code of three capital letters, such as EUR")
	}
	return s
}

func (d *document) number(member string) float64 {
	raw, ok := d.get(member, kindNumber)
	if !ok {
		return 0
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		d.fail(member, "is out of the range of a double")
		return 0
	}
	return f
}

// integer takes a whole number, also one written like 5.0 or 5e0.
func (d *document) integer(member string, low, high int64) int64 {
	raw, ok := d.get(member, kindNumber)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if errors.Is(err, strconv.ErrSyntax) {
		const exact = 1 << 53
		f, ferr := strconv.ParseFloat(string(raw), 64)
		if ferr == nil && math.Abs(f) <= exact && f != math.Trunc(f) {
			d.fail(member, "must be a whole number")
			return 0
		}
		if err = ferr; math.Abs(f) > exact {
			err = strconv.ErrRange
		}
		n = int64(f)
	}
	if err != nil || n < low || n > high {
		d.fail(member, fmt.Sprintf("must be a whole number from %d to %d", low, high))
		return 0
	}
	return n
}

const (
	kindString = "a string"
	kindNumber = "a number"
	kindArray  = "an array"
)

// kindOf names the kind of JSON value that raw begins with.
func kindOf(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	switch raw[0] {
	case '"':
		return kindString
	case '{':
		return "an object"
	case '[':
		return kindArray
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return kindNumber
	}
}

func shorten(s string) string {
	const most = 40
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
