package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/verify"
)

// Two instances of the API get the same ids at the same moment, from many clients:
// the same order, or two different ones. Each id becomes one order, whose content one
// of the two was acknowledged with; it can be paid for and shipped at both at once too.
func TestTwoInstancesGetTheSameIDsAtOnce(t *testing.T) {
	const clients, each = 16, 4
	random := rand.New(rand.NewPCG(rand.Uint64(), 0))
	s := newCrashStack(t, random)
	s.launchMain(t)
	s.main.awaitReady(t)
	s.launchOther(t, "api")
	s.awaitReady(t)
	s.main.awaitCustomer(t, firstCustomer+crashCustomers-1)
	s.main.stock(t, "JUMPERS", 10_000)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	load := newCrashLoad(ctx, s)
	var wg sync.WaitGroup
	for c := range clients {
		seed := random.Uint64()
		wg.Go(func() {
			own := rand.New(rand.NewPCG(seed, 0))
			for i := range each {
				o := verify.Order{ID: fmt.Sprintf("o-%d-%d", c, i), CustomerID: firstCustomer + int64(c), State: "CREATED", Product: "JUMPERS", Quantity: 1, Price: 1}
				other := o
				other.Quantity += int32(i % 2)
				load.both(func(n int) { load.compete([]verify.Order{o, other}[n], n) })
				load.both(func(n int) {
					load.tryUntil(func() string { return s.url([]string{"api", "second-api"}[n]) }, http.MethodPost, "/v1/payments",
						document{"id": "p-" + o.ID, "orderId": o.ID, "ccy": "EUR", "amount": 1})
				})
				load.ship(own, o)
			}
		})
	}
	wg.Wait()
	claims, wrong := load.told()
	require.Empty(t, wrong)
	require.Len(t, claims.Orders, clients*each)
	require.Len(t, claims.Shipped, clients*each)

	reader, err := verify.NewReader(verify.Config{Brokers: []string{s.address["kafka"]}, SchemaRegistry: s.url("schema-registry")})
	require.NoError(t, err)
	checker := &crashChecker{stack: s, load: load, reader: reader}
	report := checker.settle(t)
	require.Equal(t, clients*each, report.Orders)
	require.Zero(t, report.RepeatedEmails)

	// A CREATED record that was held up on its way gets through when its order is
	// long decided: nobody sees the order go back.
	client, err := kgo.NewClient(kgo.SeedBrokers(s.address["kafka"]))
	require.NoError(t, err)
	defer client.Close()
	late := []string{"o-0-0", "o-1-1"}
	for _, id := range late {
		first := s.main.recordsOf(t, "orders.v1", id)[0]
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "orders.v1", Key: []byte(id), Value: first.Value}).FirstErr())
	}
	checker.settle(t) // the table and the index have taken it in
	for _, instance := range []string{"api", "second-api"} {
		for _, id := range late {
			got := call(t, http.MethodGet, s.url(instance)+"/v1/orders/"+id, "")
			require.Contains(t, string(got.body), `"state":"SHIPPED"`)
		}
		list := call(t, http.MethodGet, s.url(instance)+"/v1/orders?state=CREATED", "")
		require.NotContains(t, string(list.body), `"o-`, "lists show no order as not decided")
	}
}
