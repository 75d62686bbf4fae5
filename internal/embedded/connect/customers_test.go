package connect_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// connectorFile reads a connector file of the repository.
func connectorFile(t testing.TB, path string, values map[string]string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("../../../connectors/" + path)
	require.NoError(t, err)
	text := string(raw)
	for name, value := range values {
		text = strings.ReplaceAll(text, "${env:"+name+"}", value)
	}
	var file struct{ Config map[string]string }
	require.NoError(t, json.Unmarshal([]byte(text), &file))
	return file.Config
}

func (s *stack) seedCustomers(name string) {
	s.t.Helper()
	raw, err := os.ReadFile("../../../sql/customers.sql")
	require.NoError(s.t, err)
	db := s.database(name)
	_, err = db.Exec("PRAGMA journal_mode=WAL")
	require.NoError(s.t, err)
	_, err = db.Exec(string(raw))
	require.NoError(s.t, err)
}

func decodeCustomer(t testing.TB, id int, r *kgo.Record) map[string]any {
	t.Helper()
	schema, err := avro.Parse(schemaText(t, "customers-value.avsc"))
	require.NoError(t, err)
	require.Equal(t, []byte{0, 0, 0, 0, byte(id)}, r.Value[:5])
	var v map[string]any
	rest, err := schema.Decode(r.Value[5:], &v)
	require.NoError(t, err)
	require.Empty(t, rest)
	return v
}

func TestCustomersReachKafkaWithTheRegisteredSchema(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		registered, err := s.sr.CreateSchema(t.Context(), "customers-value", sr.Schema{Schema: schemaText(t, "customers-value.avsc")})
		require.NoError(t, err)
		s.createTopic("customers")
		s.seedCustomers("customers.db")
		began := time.Now()
		s.create("customers", connectorFile(t, "customers.json", map[string]string{
			"ORDERFLOW_CUSTOMERS_JDBC_URL": s.jdbcURL("customers.db"), "ORDERFLOW_CONNECT_SCHEMA_REGISTRY": s.registryURL,
		}))
		s.waitRunning("customers")
		t.Logf("running after %s", time.Since(began))
		records := s.records("customers", 0, 20)
		t.Logf("read after %s", time.Since(began))
		require.Len(t, records, 20)
		assert.Equal(t, []byte{0, 0, 0, 0, 0, 0, 0, 1}, records[0].Key)
		assert.Equal(t, map[string]any{"id": int64(1), "firstName": "Ada", "lastName": "Okafor", "email": "ada.okafor@example.com",
			"address": "12 Harbour Street, Bristol", "level": "platinum"}, decodeCustomer(t, registered.ID, records[0]))

		db := s.database("customers.db")
		s.exec(db, "UPDATE customers SET level = 'gold' WHERE id = 4")
		changed := s.records("customers", 20, 1)
		assert.Equal(t, []byte{0, 0, 0, 0, 0, 0, 0, 4}, changed[0].Key)
		assert.Equal(t, "gold", decodeCustomer(t, registered.ID, changed[0])["level"])

		s.exec(db, "INSERT INTO customers (id, firstName, lastName, email, address) VALUES (99, 'New', 'One', 'n@example.com', 'x')")
		assert.Equal(t, "bronze", decodeCustomer(t, registered.ID, s.records("customers", 21, 1)[0])["level"])

		s.restart()
		s.exec(db, "UPDATE customers SET level = 'silver' WHERE id = 99")
		s.waitRunning("customers")
		last := s.records("customers", 22, 1)
		assert.Equal(t, "silver", decodeCustomer(t, registered.ID, last[0])["level"], "a restart goes on where it was")
		assert.EqualValues(t, 23, s.end("customers"))

		versions, err := s.sr.SubjectVersions(t.Context(), "customers-value")
		require.NoError(t, err)
		assert.Equal(t, []int{1}, versions, "no schema of the connector's own")
	})
}
