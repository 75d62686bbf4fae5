package order

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const good = `{"id":"o-1","customerId":5,"state":"CREATED","product":"JUMPERS","quantity":2,"price":9.5}`

func TestWellFormedOrdersAreTaken(t *testing.T) {
	tests := []struct {
		name, body string
		want       Order
	}{
		{"plain", good, Order{"o-1", 5, Created, Jumpers, 2, 9.5}},
		{"quantity 0 and price -1 are for the checks", `{"id":"o","customerId":0,"state":"CREATED","product":"STOCKINGS","quantity":0,"price":-1}`, Order{"o", 0, Created, Stockings, 0, -1}},
		{"quantity -1", `{"id":"o","customerId":-3,"state":"CREATED","product":"UNDERPANTS","quantity":-1,"price":0}`, Order{"o", -3, Created, Underpants, -1, 0}},
		{"any order and white space", "\n{ \"price\" : 1e2 , \"quantity\":2.0,\"product\":\"JUMPERS\",\"state\":\"CREATED\",\"customerId\":9007199254740993,\"id\":\"a'b / ü\"}\t", Order{"a'b / ü", 9007199254740993, Created, Jumpers, 2, 100}},
		{"ends of the ranges", `{"id":"o","customerId":-9223372036854775808,"state":"CREATED","product":"JUMPERS","quantity":2147483647,"price":1.7976931348623157e308}`, Order{"o", math.MinInt64, Created, Jumpers, math.MaxInt32, math.MaxFloat64}},
		{"escapes", `{"\u0069d":"\u006f","customerId":1,"state":"CREATED","product":"JUMPERS","quantity":1,"price":1}`, Order{"o", 1, Created, Jumpers, 1, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DecodeOrder(strings.NewReader(tt.body))
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

// with returns the good order with one member replaced by raw JSON; "" leaves it out.
func with(member, raw string) string {
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(good), &m); err != nil {
		panic(err)
	}
	if raw == "" {
		delete(m, member)
	} else {
		m[member] = json.RawMessage(raw)
	}
	out, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(out)
}

func TestRefusedOrdersPointAtTheField(t *testing.T) {
	tests := []struct {
		name, body, pointer, detail string
	}{
		{"empty body", " ", "#", "the body is empty"},
		{"not JSON", "hello", "#", "not JSON"},
		{"cut off", good[:len(good)-1], "#", "ends too early"},
		{"cut off in a value", `{"id":"o`, "#/id", "ends too early"},
		{"array", "[" + good + "]", "#", "must be a JSON object, not an array"},
		{"null", "null", "#", "must be a JSON object, not null"},
		{"trailing garbage", good + "x", "#", "something follows"},
		{"two documents", good + good, "#", "something follows"},
		{"not UTF-8", "{\"id\":\"\xff\"}", "#", "UTF-8"},
		{"unknown member", `{"colour":1,` + good[1:], "#/colour", "not a member"},
		{"member in another case", `{"ID":"x",` + good[1:], "#/ID", "not a member"},
		{"pointer is escaped", `{"a/b~ü":1,` + good[1:], "#/a~1b~0%C3%BC", "not a member"},
		{"member twice", `{"id":"x",` + good[1:], "#/id", "given twice"},

		{"no id", with("id", ""), "#/id", "is missing"},
		{"empty id", with("id", `""`), "#/id", "must not be empty"},
		{"blank id", with("id", `"  "`), "#/id", "must not be empty"},
		{"id null", with("id", "null"), "#/id", "must be a string, not null"},
		{"id a number", with("id", "7"), "#/id", "must be a string, not a number"},
		{"id too long", with("id", `"`+strings.Repeat("x", MaxIDBytes+1)+`"`), "#/id", "at most 512"},
		{"id with control character", with("id", `"a\nb"`), "#/id", "control characters"},
		{"id with NUL", with("id", `"a\u0000"`), "#/id", "control characters"},
		{"id that is a path", with("id", `".."`), "#/id", "part of an address"},

		{"customer a string", with("customerId", `"5"`), "#/customerId", "must be a number, not a string"},
		{"customer a fraction", with("customerId", "5.5"), "#/customerId", "whole number"},
		{"customer too big", with("customerId", "9223372036854775808"), "#/customerId", "whole number from"},
		{"customer too big as a float", with("customerId", "1e300"), "#/customerId", "whole number from"},
		{"no customer", with("customerId", ""), "#/customerId", "is missing"},

		{"state not CREATED", with("state", `"VALIDATED"`), "#/state", "must be CREATED"},
		{"unknown state", with("state", `"NEW"`), "#/state", "must be one of CREATED"},
		{"state in lower case", with("state", `"created"`), "#/state", "must be one of"},
		{"no state", with("state", ""), "#/state", "is missing"},
		{"unknown product", with("product", `"SOCKS"`), "#/product", `must be one of JUMPERS, UNDERPANTS, STOCKINGS, not "SOCKS"`},
		{"product a boolean", with("product", "true"), "#/product", "must be a string, not a boolean"},

		{"quantity a string", with("quantity", `"2"`), "#/quantity", "must be a number"},
		{"quantity a fraction", with("quantity", "1.5"), "#/quantity", "whole number"},
		{"quantity too big", with("quantity", "2147483648"), "#/quantity", "whole number from -2147483648"},
		{"quantity an array", with("quantity", "[1]"), "#/quantity", "must be a number, not an array"},
		{"price a string", with("price", `"9"`), "#/price", "must be a number"},
		{"price an object", with("price", "{}"), "#/price", "must be a number, not an object"},
		{"price too big", with("price", "1e999"), "#/price", "range of a double"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := DecodeOrder(strings.NewReader(tt.body))
			var invalid *InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Len(t, invalid.Errors, 1, "%v", err)
			assert.Equal(t, tt.pointer, invalid.Errors[0].Pointer)
			assert.Contains(t, invalid.Errors[0].Detail, tt.detail)
		})
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, err := DecodeOrder(strings.NewReader(`{"id":"","quantity":"x","extra":1}`))
	var invalid *InvalidError
	require.ErrorAs(t, err, &invalid)
	var pointers []string
	for _, f := range invalid.Errors {
		pointers = append(pointers, f.Pointer)
	}
	assert.ElementsMatch(t, []string{"#/id", "#/customerId", "#/state", "#/product", "#/quantity", "#/price", "#/extra"}, pointers)
}

func TestReadErrorIsPassedOn(t *testing.T) {
	cut := errors.New("cut")
	_, err := DecodeOrder(iotest.ErrReader(cut))
	require.ErrorIs(t, err, cut)
}

func TestPayments(t *testing.T) {
	p, err := DecodePayment(strings.NewReader(`{"id":"p","orderId":"o","ccy":"CZK","amount":10.5}`))
	require.NoError(t, err)
	assert.Equal(t, Payment{"p", "o", "CZK", 10.5}, p)
	for body, pointer := range map[string]string{
		`{"id":"","orderId":"o","ccy":"CZK","amount":1}`:   "#/id",
		`{"id":"p","orderId":" ","ccy":"CZK","amount":1}`:  "#/orderId",
		`{"id":"p","orderId":"o","ccy":"czk","amount":1}`:  "#/ccy",
		`{"id":"p","orderId":"o","ccy":"EURO","amount":1}`: "#/ccy",
		`{"id":"p","orderId":"o","ccy":"CZK","amount":-1}`: "#/amount",
		`{"id":"p","orderId":"o","ccy":"CZK"}`:             "#/amount",
	} {
		_, err := DecodePayment(strings.NewReader(body))
		var invalid *InvalidError
		require.ErrorAs(t, err, &invalid, body)
		require.Len(t, invalid.Errors, 1)
		assert.Equal(t, pointer, invalid.Errors[0].Pointer, body)
	}
}

func TestQuantities(t *testing.T) {
	n, err := DecodeQuantity(strings.NewReader(`{"quantity":7}`))
	require.NoError(t, err)
	assert.EqualValues(t, 7, n)
	_, err = DecodeQuantity(strings.NewReader(`{"quantity":-1}`))
	require.ErrorContains(t, err, "#/quantity: must be a whole number from 0")
}

func TestStates(t *testing.T) {
	assert.False(t, Created.Final())
	assert.True(t, Validated.Final() && Failed.Final() && Shipped.Final())
	assert.True(t, Shipped.Supersedes(Validated) && Validated.Supersedes(Created) && Failed.Supersedes(Created))
	assert.False(t, Failed.Supersedes(Validated) || Created.Supersedes(Created))
	a := Order{"o", 1, Created, Jumpers, 1, 2}
	b := a
	b.State = Shipped
	assert.True(t, a.SameContent(b))
	b.Price++
	assert.False(t, a.SameContent(b))
}

func FuzzDecodeOrder(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"id":"","customerId":1e400}`))
	f.Add([]byte(`{"id":{"id":[]},"quantity":-0.0}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := DecodeOrder(strings.NewReader(string(body)))
		if err != nil {
			var invalid *InvalidError
			require.ErrorAs(t, err, &invalid)
			require.NotEmpty(t, invalid.Errors)
			return
		}
		require.NotEmpty(t, o.ID)
		require.Equal(t, Created, o.State)
		require.True(t, o.Product.Known())
		require.False(t, math.IsInf(o.Price, 0) || math.IsNaN(o.Price))
		again, err := json.Marshal(o)
		require.NoError(t, err)
		back, err := DecodeOrder(io.NopCloser(strings.NewReader(string(again))))
		require.NoError(t, err)
		require.Equal(t, o, back)
	})
}
