package connect_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
)

func TestACustomerChangedOnAFullDiskArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var full atomic.Bool
		s := newStackOnDisk(t, func(string) (int64, error) {
			if full.Load() {
				return 1 << 20, nil
			}
			return 1 << 40, nil
		})
		_, err := s.sr.CreateSchema(t.Context(), "customers-value", sr.Schema{Schema: schemaText(t, "customers-value.avsc")})
		require.NoError(t, err)
		s.createTopic("customers")
		s.seedCustomers("customers.db")
		s.create("customers", connectorFile(t, "customers.json", map[string]string{
			"ORDERFLOW_CUSTOMERS_JDBC_URL": s.jdbcURL("customers.db"), "ORDERFLOW_CONNECT_SCHEMA_REGISTRY": s.registryURL,
		}))
		s.waitRunning("customers")
		s.records("customers", 0, 20)
		full.Store(true)
		<-time.After(2 * time.Second)
		s.exec(s.database("customers.db"), "UPDATE customers SET level = 'gold' WHERE id = 4")
		<-time.After(time.Minute)
		full.Store(false)
		<-time.After(5 * time.Minute)
		assert.EqualValues(t, 21, s.end("customers"))
		assert.Equal(t, "RUNNING", s.status("customers").Tasks[0].State, s.status("customers").Tasks[0].Trace)
	})
}
