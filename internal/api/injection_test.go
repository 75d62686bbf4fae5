package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/ksql"
)

// hostile are texts that would be SQL if they got out of their quotes.
var hostile = []string{
	`'`, `''`, `'''`, `\'`, `' OR '1'='1`, `x'); DROP TABLE ORDERS_BY_ID; --`, `'; DROP STREAM ORDERS_STREAM DELETE TOPIC; SELECT '`,
	`" OR 1=1 --`, "`", `;`, `--`, `/*`, `*/ OR ID IS NOT NULL /*`, `${ids}`, `${number}`, `$' || ID || '`, `1 OR 1=1`, `7; DROP TABLE CUSTOMERS_TABLE`,
	"’ OR 1=1", "ʼ", "%27 OR 1=1", `\u0027; TERMINATE ALL; \u0027`, `') UNION SELECT * FROM CUSTOMERS_TABLE WHERE ('a'='a`,
}

// statements keeps the SQL that is sent, and answers every query with nothing.
type statements struct {
	mu   sync.Mutex
	sent []string
}

func (s *statements) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := s.sent
	s.sent = nil
	return sent
}

// startStatements is a ksqlDB server that keeps what it is asked.
func startStatements(t *testing.T) (*statements, *ksql.Client) {
	t.Helper()
	s := &statements{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ SQL string }
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&q))
		s.mu.Lock()
		s.sent = append(s.sent, q.SQL)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
		_, _ = w.Write([]byte(`{"queryId":"q","columnNames":["A"],"columnTypes":["STRING"]}` + "\n"))
	}))
	t.Cleanup(server.Close)
	client, err := ksql.New(ksql.Config{URL: server.URL})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return s, client
}

// Whatever stands in whichever field of whichever request, ksqlDB is asked one question of
// the known form, in which the text is a literal.
func TestNoFieldIsReadAsSQL(t *testing.T) {
	sent, client := startStatements(t)
	f := newFixture(t)
	f.handlers.store = ksqlStore{ksqlQueries{client}}
	f.handlers.orderLookups, f.handlers.paymentLookups = newLookups(f.handlers.store.Orders), newLookups(f.handlers.store.Payments)
	quoted := func(text string) string {
		data, err := json.Marshal(text)
		require.NoError(t, err)
		return string(data)
	}
	for _, text := range hostile {
		j, q, p := quoted(text), url.QueryEscape(text), url.PathEscape(text)
		requests := [][3]string{
			{"GET", "/v1/orders/" + p + "?timeout=0", ""}, {"GET", "/v1/orders/" + p + "/validated?timeout=0", ""},
			{"GET", "/v1/orders/" + p + "/history", ""}, {"POST", "/v1/orders/" + p + "/ship?timeout=0", ""}, {"GET", "/v1/orders/o-1?timeout=" + q, ""},
			{"GET", "/v1/customers/" + p, ""}, {"GET", "/v1/customers/7?x=" + q, ""}, {"PUT", "/v1/inventory/" + p, `{"quantity":1}`},
			{"PUT", "/v1/inventory/JUMPERS", `{"quantity":` + j + `}`}, {"GET", "/fraud?limit=" + q, ""}, {"GET", "/fraud?wait=" + q, ""},
		}
		for _, name := range append([]string{"unknown"}, listParameters...) {
			requests = append(requests, [3]string{"GET", "/v1/orders?" + name + "=" + q, ""})
		}
		for field, good := range map[string]string{"id": `"o-1"`, "customerId": "5", "state": `"CREATED"`, "product": `"JUMPERS"`, "quantity": "2", "price": "9.5"} {
			body := strings.Replace(goodOrder, `"`+field+`":`+good, `"`+field+`":`+j, 1)
			require.NotEqual(t, goodOrder, body)
			requests = append(requests, [3]string{"POST", "/v1/orders", body}, [3]string{"POST", "/v1/orders:batch", `{"orders":[` + body + `]}`})
		}
		for field, good := range map[string]string{"id": `"p-1"`, "orderId": `"o-1"`, "ccy": `"EUR"`, "amount": "19"} {
			body := strings.Replace(goodPayment, `"`+field+`":`+good, `"`+field+`":`+j, 1)
			require.NotEqual(t, goodPayment, body)
			requests = append(requests, [3]string{"POST", "/v1/payments", body})
		}
		requests = append(requests, [3]string{"POST", "/v1/orders", strings.Replace(goodOrder, `"id"`, j, 1)})
		for _, r := range requests {
			w := httptest.NewRecorder()
			f.router.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), r[0], r[1], strings.NewReader(r[2])))
			assert.Less(t, w.Code, 500, "%v: %s", r, w.Body)
			for _, statement := range sent.take() {
				assertQuestion(t, statement, text)
			}
		}
	}
}

// Nor does it where only a known order's id gets to.
func TestNoIDIsReadAsSQL(t *testing.T) {
	sent, client := startStatements(t)
	store := ksqlStore{ksqlQueries{client}}
	for _, text := range hostile {
		_, err := store.Orders(t.Context(), text, "second")
		require.NoError(t, err)
		_, err = store.Checks(t.Context(), text)
		require.NoError(t, err)
		_, _, err = store.Submitted(t.Context(), text)
		require.NoError(t, err)
		statements := sent.take()
		require.Len(t, statements, 3)
		for _, statement := range statements {
			assertQuestion(t, statement, text)
		}
	}
}

// assertQuestion checks that a statement is one SELECT from one of the API's tables, and
// that where it says which rows, there are literals alone: the text, as it is, or what the
// requests have without it.
func assertQuestion(t *testing.T, statement, text string) {
	t.Helper()
	parsed, err := parser.Parse(statement)
	require.NoError(t, err, statement)
	require.Len(t, parsed, 1, statement)
	query, ok := parsed[0].(*ast.Query)
	require.True(t, ok, statement)
	begin, _, ok := strings.Cut(statement, " WHERE ")
	require.True(t, ok, statement)
	assert.Contains(t, []string{
		"SELECT ID, CUSTOMERID, STATE, PRODUCT, QUANTITY, PRICE FROM ORDER_STATES",
		"SELECT PAYMENTID, ORDERID, CCY, AMOUNT FROM PAYMENTS_BY_ID",
		"SELECT CUSTOMERID, FIRSTNAME, LASTNAME, EMAIL, ADDRESS, LEVEL FROM CUSTOMERS_TABLE",
		"SELECT ID, INVENTORY, FRAUD, DETAILS FROM ORDER_CHECKS",
		"SELECT ID, N, ROWTIME FROM ORDER_SUBMISSIONS",
	}, begin)
	switch where := query.Where.(type) {
	case *ast.In:
		require.IsType(t, &ast.ColumnRef{}, where.Operand)
		for _, v := range where.Values {
			literal, ok := v.(*ast.StringLiteral)
			require.True(t, ok, statement)
			assert.Contains(t, []string{text, "o-1", "p-1", "second"}, literal.Value)
		}
	case *ast.Comparison:
		assert.True(t, strings.HasSuffix(statement, "WHERE CUSTOMERID = 7;"), statement)
	default:
		t.Errorf("%s has %T", statement, where)
	}
}
