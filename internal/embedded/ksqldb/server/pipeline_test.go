package server_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

type order struct {
	ID    string `avro:"id"`
	State string `avro:"state"`
}

// finals waits for the final records of so many orders and gives all final
// states by order.
func (s *stack) finals(count int) map[string][]string {
	s.t.Helper()
	states := map[string][]string{}
	s.read("orders.v1", func(records []*kgo.Record) bool {
		clear(states)
		for _, rec := range records {
			var o order
			require.NoError(s.t, s.avro.Decode(s.ctx, rec.Value, &o))
			if o.State != "CREATED" {
				states[o.ID] = append(states[o.ID], o.State)
			}
		}
		return len(states) >= count
	})
	return states
}

func TestTheMigrationsRunTheOrderFlow(t *testing.T) {
	s := newStack(t)
	s.applyTopics()
	began := time.Now()
	report := s.migrate()
	t.Logf("applied %d migrations in %s", len(report.Applied), time.Since(began))
	queries, err := s.client.ListQueries(s.ctx)
	require.NoError(t, err)
	for _, q := range queries {
		assert.Equal(t, "RUNNING", q.State, q.ID)
	}

	s.customer(1, "Ada", "Byron", "gold")
	s.customer(2, "Bob", "Stone", "platinum")
	require.Eventually(t, func() bool { return len(s.rows("SELECT * FROM CUSTOMERS_TABLE;")) == 2 }, patience, 5*time.Millisecond)

	s.order("good", 1, 2, 10)
	s.order("good", 1, 1, 99)
	s.check("good", "INVENTORY_CHECK", "PASS")
	s.order("none", 1, 0, 10)
	s.check("none", "INVENTORY_CHECK", "PASS")
	s.order("dear", 2, 3, 1000)
	s.check("dear", "INVENTORY_CHECK", "PASS")
	s.order("lost", 9, 1, 5)
	s.check("lost", "INVENTORY_CHECK", "FAIL")
	assert.Equal(t, map[string][]string{
		"good": {"VALIDATED"}, "none": {"FAILED"}, "dear": {"FAILED"}, "lost": {"FAILED"},
	}, s.finals(4))

	require.Eventually(t, func() bool {
		rows := s.rows("SELECT * FROM ORDERS_BY_ID WHERE ID = 'good';")
		return len(rows) == 1 && fmt.Sprint(rows[0]) == "[good 1 VALIDATED JUMPERS 2 10.0]"
	}, patience, 5*time.Millisecond)
	assert.Empty(t, s.rows("SELECT * FROM ORDERS_BY_ID WHERE ID = 'nobody';"))

	s.order("more-1", 1, 1, 1)
	s.order("more-2", 1, 1, 1)
	rows, err := s.client.Query(s.ctx, "SELECT * FROM FRAUD_ORDER EMIT CHANGES;", map[string]string{"auto.offset.reset": "earliest"})
	require.NoError(t, err)
	defer rows.Close()
	require.True(t, rows.Next(), rows.Err())
	assert.Equal(t, "[1 Byron Ada]", fmt.Sprint(rows.Values()[:3]))
	s.produce("payments.v1", []byte("p1"), s.now(), map[string]any{"id": "p1", "orderId": "good", "ccy": "CZK", "amount": 1.5})
	s.read("emails.v1", func(records []*kgo.Record) bool { return len(records) == 1 })
	s.read("gold", func(records []*kgo.Record) bool { return len(records) == 4 })

	began = time.Now()
	require.NoError(t, s.server.Stop())
	t.Logf("stopped in %s", time.Since(began))
	began = time.Now()
	s.start()
	t.Logf("started again in %s", time.Since(began))
	assert.Len(t, s.rows("SELECT * FROM CUSTOMERS_TABLE;"), 2)
	assert.Len(t, s.rows("SELECT * FROM ORDERS_BY_ID WHERE ID IN ('good', 'none');"), 2)
	s.order("after", 1, 1, 1)
	s.check("after", "INVENTORY_CHECK", "PASS")
	s.order("sum-2", 2, 1, 1) // the session of the dear order goes on
	s.check("sum-2", "INVENTORY_CHECK", "PASS")
	finals := s.finals(6)
	assert.Equal(t, []string{"VALIDATED"}, finals["after"])
	assert.Equal(t, []string{"FAILED"}, finals["sum-2"])
	assert.Equal(t, []string{"VALIDATED"}, finals["good"], "nothing is decided twice")
}
