package build_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const repository = "../../../.."

// orderFlow is the project's own SQL on an engine in memory.
type orderFlow struct {
	t           *testing.T
	engine      *sqltest.Engine
	orders      format.Serde
	validations format.Serde
	customers   format.Serde
}

// The columns of the topics that others write into.
var (
	orderColumns = []types.Column{
		{Name: "id", Type: types.String}, {Name: "customerId", Type: types.Bigint}, {Name: "state", Type: types.String},
		{Name: "product", Type: types.String}, {Name: "quantity", Type: types.Integer}, {Name: "price", Type: types.Double},
	}
	validationColumns = []types.Column{
		{Name: "orderId", Type: types.String}, {Name: "checkType", Type: types.String}, {Name: "validationResult", Type: types.String},
	}
	customerColumns = []types.Column{
		{Name: "id", Type: types.Bigint}, {Name: "firstName", Type: types.String}, {Name: "lastName", Type: types.String},
		{Name: "email", Type: types.String}, {Name: "address", Type: types.String}, {Name: "level", Type: types.String},
	}
)

func startOrderFlow(t *testing.T) *orderFlow {
	t.Helper()
	return startChangedOrderFlow(t, func(sql string) string { return sql })
}

// startChangedOrderFlow runs the statements as change leaves them.
func startChangedOrderFlow(t *testing.T, change func(sql string) string) *orderFlow {
	t.Helper()
	topics := []string{
		"orders.v1", "order-validations.v1", "payments.v1", "customers", "order-submissions.v1", "order-checks.v1", "fraud-totals.v1", "shipments.v1", "order-shipments.v1",
	}
	f := &orderFlow{t: t, engine: engine(t, topics...)}
	ids := map[string]int{}
	for i, topic := range []string{"orders.v1", "order-validations.v1", "payments.v1", "customers"} {
		text, err := os.ReadFile(filepath.Join(repository, "schemas", topic+"-value.avsc"))
		require.NoError(t, err)
		ids[topic] = i + 1
		f.engine.Registry().Put(topic+"-value", i+1, registry.Schema{Type: registry.TypeAvro, Text: string(text)})
	}
	vars := map[string]string{
		"order_schema_id": strconv.Itoa(ids["orders.v1"]), "validation_schema_id": strconv.Itoa(ids["order-validations.v1"]), "partitions": "1",
		"commit_interval_ms": "100",
	}
	files, err := filepath.Glob(filepath.Join(repository, "migrations", "V*.sql"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	slices.Sort(files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		sql, err := parser.Substitute(change(string(text)), vars)
		require.NoError(t, err)
		require.NoError(t, run(f.engine, sql), file)
	}
	serde := func(topic string, columns []types.Column) format.Serde {
		id := ids[topic]
		s, err := format.New(context.Background(), format.Spec{Format: format.Avro, Columns: columns, SchemaID: &id, Topic: topic}, f.engine.Registry())
		require.NoError(t, err)
		return s
	}
	f.orders, f.validations = serde("orders.v1", orderColumns), serde("order-validations.v1", validationColumns)
	f.customers = serde("customers", customerColumns)
	return f
}

func (f *orderFlow) send(topic, key string, serde format.Serde, at int64, values ...types.Value) {
	f.t.Helper()
	value, err := serde.Serialize(nil, values)
	require.NoError(f.t, err)
	require.NoError(f.t, f.engine.Feed(topic, sqltest.Record{Key: []byte(key), Value: value, Time: at}))
}

func (f *orderFlow) order(id string, customer int64, quantity int64, price float64, at int64) {
	f.t.Helper()
	f.send("orders.v1", id, f.orders, at, types.StringValue(id), types.IntValue(customer), types.StringValue("CREATED"),
		types.StringValue("JUMPERS"), types.IntValue(quantity), types.DoubleValue(price))
}

func (f *orderFlow) check(id, kind, result string, at int64) {
	f.t.Helper()
	f.send("order-validations.v1", id, f.validations, at, types.StringValue(id), types.StringValue(kind), types.StringValue(result))
}

func (f *orderFlow) customer(id int64, level string) {
	f.t.Helper()
	text := types.StringValue
	f.send("customers", string(binary.BigEndian.AppendUint64(nil, uint64(id))), f.customers, 0,
		types.IntValue(id), text("Ann"), text("Able"), text("ann@example.com"), text("1 Main St"), text(level))
}

// states lists what orders.v1 says of each order, CREATED left out.
func (f *orderFlow) states() map[string][]string {
	f.t.Helper()
	states := map[string][]string{}
	for _, r := range content(f.engine, "orders.v1") {
		values, err := f.orders.Deserialize(r.Value)
		require.NoError(f.t, err)
		if state := values[2].Str(); state != "CREATED" {
			states[string(r.Key)] = append(states[string(r.Key)], state)
		}
	}
	return states
}

func TestMigrationsDecideEachOrder(t *testing.T) {
	f := startOrderFlow(t)
	for id, want := range map[string]struct {
		quantity  int64
		price     float64
		inventory string
		state     string
	}{
		"good":           {1, 10, "PASS", "VALIDATED"},
		"no stock":       {1, 10, "FAIL", "FAILED"},
		"quantity 0":     {0, 10, "PASS", "FAILED"},
		"price below 0":  {1, -1, "PASS", "FAILED"},
		"for nothing":    {1, 0, "PASS", "VALIDATED"},
		"too expensive":  {2, 1000, "PASS", "FAILED"},
		"just not fraud": {2, 999.99, "PASS", "VALIDATED"},
	} {
		f.order(id, int64(len(id))*100, want.quantity, want.price, 1000)
		f.check(id, "INVENTORY_CHECK", want.inventory, 1001)
		require.Equal(t, []string{want.state}, f.states()[id], id)
	}
}

func TestMigrationsSumASessionOfACustomer(t *testing.T) {
	const hour = 3_600_000
	f := startOrderFlow(t)
	for i, want := range []string{"VALIDATED", "VALIDATED", "FAILED", "FAILED", "VALIDATED"} {
		id, at := fmt.Sprint("o", i), int64(1000*i)
		if i == 4 {
			at += hour + 1
		}
		f.order(id, 7, 1, 900, at)
		f.check(id, "INVENTORY_CHECK", "PASS", at)
		require.Equal(t, []string{want}, f.states()[id], id)
	}
}

func TestMigrationsListSuspectsAndRouteByLevel(t *testing.T) {
	f := startOrderFlow(t)
	f.customer(7, "gold")
	for i := range int64(4) {
		f.order(fmt.Sprint("known", i), 7, 1, 1, 30_000+i)
		f.order(fmt.Sprint("unknown", i), 8, 1, 1, 30_000+i)
	}
	var listed []string
	for _, r := range content(f.engine, "FRAUD_ORDER") {
		listed = append(listed, string(r.Key[:len(r.Key)-8]))
	}
	suspect := `{"CUSTOMERID":7,"LASTNAME":"Able","FIRSTNAME":"Ann"}`
	require.Equal(t, []string{suspect, suspect}, listed, "the third and the fourth order of a known customer")
	require.Len(t, content(f.engine, "gold"), 4)
	require.Len(t, content(f.engine, "orders-enriched.v1"), 8)
}

// The engine knows nothing of this pipeline: the same statements under other
// names and with other numbers do what those say.
func TestMigrationsUnderOtherNamesAndNumbers(t *testing.T) {
	names := regexp.MustCompile(`(?i)\b(orders_new|order_submissions(_stream)?|order_events|order_checks(_stream)?|order_decisions|fraud_totals(_stream)?|fraud_order|orders_enriched_stream)\b`)
	numbers := []struct{ from, to string }{
		{"total < 2000", "total < 500"},
		{"SESSION (1 HOUR)", "SESSION (10 SECONDS)"},
		{"SIZE 30 SECONDS", "SIZE 5 SECONDS"},
		{"HAVING COUNT(*) > 2", "HAVING COUNT(*) > 1"},
		{"'FAILED'", "'SHIPPED'"},
	}
	used := map[string]bool{}
	f := startChangedOrderFlow(t, func(sql string) string {
		sql = names.ReplaceAllString(sql, "other_$1")
		for _, n := range numbers {
			used[n.from] = used[n.from] || strings.Contains(sql, n.from)
			sql = strings.ReplaceAll(sql, n.from, n.to)
		}
		return sql
	})
	for _, n := range numbers {
		require.True(t, used[n.from], "the migrations say %s", n.from)
	}
	f.customer(7, "gold")
	for i, o := range []struct {
		price float64
		at    int64
		state string
	}{
		{400, 0, "VALIDATED"},
		{100, 1000, "SHIPPED"},     // the session's sum is 500
		{400, 20_000, "VALIDATED"}, // a session of its own, 10 seconds later
	} {
		id := fmt.Sprint("o", i)
		f.order(id, 7, 1, o.price, o.at)
		f.check(id, "INVENTORY_CHECK", "PASS", o.at)
		require.Equal(t, []string{o.state}, f.states()[id], id)
	}
	require.Len(t, content(f.engine, "OTHER_FRAUD_ORDER"), 1, "two orders within five seconds")
	require.Empty(t, content(f.engine, "FRAUD_ORDER"))
}

// However often orders are posted and checks repeated, in whatever order, each
// order gets one final record.
func TestMigrationsDecideOnceWhateverIsRepeated(t *testing.T) {
	for seed := range uint64(5) {
		f := startOrderFlow(t)
		rng := rand.New(rand.NewPCG(seed, 7))
		var events []func()
		const orders = 30
		for i := range orders {
			id := fmt.Sprint("o", i)
			for range 1 + rng.IntN(2) {
				quantity := int64(rng.IntN(4))
				events = append(events, func() { f.order(id, int64(i), quantity, 10, 1000) })
			}
			for range 1 + rng.IntN(3) {
				kind := []string{"INVENTORY_CHECK", "INVENTORY_CHECK", "FRAUD_CHECK", "ORDER_DETAILS_CHECK"}[rng.IntN(4)]
				result := []string{"PASS", "FAIL"}[rng.IntN(2)]
				events = append(events, func() { f.check(id, kind, result, 1000) })
			}
			events = append(events, func() { f.check(id, "INVENTORY_CHECK", "PASS", 1000) })
		}
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		for _, send := range events {
			send()
		}
		states := f.states()
		require.Len(t, states, orders, "seed %d", seed)
		for id, list := range states {
			require.Len(t, list, 1, "seed %d, order %s", seed, id)
		}
	}
}
