package kafka_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/kafka"
)

type state string

type order struct {
	ID         string  `avro:"id"`
	CustomerID int64   `avro:"customerId"`
	State      state   `avro:"state"`
	Quantity   int32   `avro:"quantity"`
	Price      float64 `avro:"price"`
}

const orderSchema = `{"type":"record","name":"Order","fields":[
 {"name":"id","type":"string"},{"name":"customerId","type":"long"},
 {"name":"state","type":{"type":"enum","name":"S","symbols":["CREATED","FAILED"]}},
 {"name":"quantity","type":"int"},{"name":"price","type":"double"}]}`

// fakeRegistry serves the given schemas, subject by subject with ids 1, 2, ….
func fakeRegistry(t *testing.T, schemas map[int]string, latest map[string]int, refs map[string]any) (*kafka.Registry, *atomic.Int64) {
	t.Helper()
	var requests atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		var id int
		if n, _ := fmt.Sscanf(r.URL.Path, "/schemas/ids/%d", &id); n == 1 && schemas[id] != "" {
			assert.NoError(t, json.NewEncoder(w).Encode(map[string]any{"schema": schemas[id]}))
			return
		}
		parts := strings.Split(r.URL.Path, "/")
		if len(parts) == 5 && latest[parts[2]] != 0 {
			id := latest[parts[2]]
			body := map[string]any{"subject": parts[2], "version": 1, "id": id, "schema": schemas[id]}
			if ref, ok := refs[parts[2]]; ok {
				body["references"] = ref
			}
			assert.NoError(t, json.NewEncoder(w).Encode(body))
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, err := w.Write([]byte(`{"error_code":40401,"message":"Subject not found."}`))
		assert.NoError(t, err)
	}))
	t.Cleanup(srv.Close)
	reg, err := kafka.NewRegistry(kafka.Config{SchemaRegistry: srv.URL})
	require.NoError(t, err)
	return reg, &requests
}

func TestEncodeAndDecode(t *testing.T) {
	reg, requests := fakeRegistry(t, map[int]string{7: orderSchema}, map[string]int{"orders.v1-value": 7}, nil)
	enc, err := reg.Encoder(t.Context(), "orders.v1-value")
	require.NoError(t, err)
	assert.Equal(t, 7, enc.ID())

	in := order{ID: "o-1", CustomerID: 1 << 60, State: "CREATED", Quantity: -1, Price: 9.99}
	data, err := enc.Encode(in)
	require.NoError(t, err)
	assert.Equal(t, []byte{0, 0, 0, 0, 7}, data[:5])

	var out order
	require.NoError(t, reg.Decode(t.Context(), data, &out))
	assert.Equal(t, in, out)

	var m map[string]any
	require.NoError(t, reg.Decode(t.Context(), data, &m))
	assert.Equal(t, map[string]any{"id": "o-1", "customerId": int64(1 << 60), "state": "CREATED", "quantity": int32(-1), "price": 9.99}, m)

	var some struct {
		ID string `avro:"id"`
	}
	require.NoError(t, reg.Decode(t.Context(), data, &some))
	assert.Equal(t, "o-1", some.ID)
	assert.EqualValues(t, 2, requests.Load(), "the schema is fetched once")
}

func TestEncodeRefusesWhatTheSchemaLacks(t *testing.T) {
	reg, _ := fakeRegistry(t, map[int]string{1: orderSchema}, map[string]int{"s": 1}, nil)
	enc, err := reg.Encoder(t.Context(), "s")
	require.NoError(t, err)
	_, err = enc.Encode(order{ID: "o", State: "LOST"})
	require.ErrorContains(t, err, "LOST")
	_, err = enc.Encode(map[string]any{"id": "o"})
	require.Error(t, err)
}

func TestEncoderFollowsReferences(t *testing.T) {
	reg, _ := fakeRegistry(t,
		map[int]string{1: `{"type":"enum","name":"Level","symbols":["gold"]}`, 2: `{"type":"record","name":"R","fields":[{"name":"level","type":"Level"}]}`},
		map[string]int{"level": 1, "r": 2},
		map[string]any{"r": []any{map[string]any{"name": "Level", "subject": "level", "version": 1}}})
	enc, err := reg.Encoder(t.Context(), "r")
	require.NoError(t, err)
	data, err := enc.Encode(map[string]any{"level": "gold"})
	require.NoError(t, err)
	assert.Equal(t, []byte{0, 0, 0, 0, 2, 0}, data)
}

func TestUnknownSubject(t *testing.T) {
	reg, _ := fakeRegistry(t, nil, nil, nil)
	_, err := reg.Encoder(t.Context(), "nope-value")
	require.ErrorIs(t, err, kafka.ErrSubjectNotFound)
	_, err = reg.LatestID(t.Context(), "nope-value")
	require.ErrorIs(t, err, kafka.ErrSubjectNotFound)
	assert.ErrorContains(t, err, "nope-value")
}

func TestDecodeRefuses(t *testing.T) {
	reg, _ := fakeRegistry(t, map[int]string{1: orderSchema}, nil, nil)
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":         {nil, kafka.ErrNotEncoded},
		"another format":  {[]byte(`{"id":"o"}`), kafka.ErrNotEncoded},
		"a cut header":    {[]byte{0, 0, 0, 1}, kafka.ErrNotEncoded},
		"an unknown id":   {[]byte{0, 0, 0, 0, 9, 2}, nil},
		"a cut payload":   {[]byte{0, 0, 0, 0, 1, 2}, nil},
		"a record + tail": {append([]byte{0, 0, 0, 0, 1, 0, 0, 0, 0}, make([]byte, 9)...), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var o order
			err := reg.Decode(t.Context(), c.data, &o)
			require.Error(t, err)
			if c.want != nil {
				assert.ErrorIs(t, err, c.want)
			}
		})
	}
}

func TestConfigValidate(t *testing.T) {
	require.NoError(t, kafka.Config{Brokers: []string{"127.0.0.1:9092"}}.Validate())
	require.ErrorContains(t, kafka.Config{}.Validate(), "host:port")
	require.ErrorContains(t, kafka.Config{Brokers: []string{"nowhere"}}.Validate(), `"nowhere"`)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 2, 'o', 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 1})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/schemas/ids/1" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"schema": orderSchema})
	}))
	f.Cleanup(srv.Close)
	reg, err := kafka.NewRegistry(kafka.Config{SchemaRegistry: srv.URL})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		var o order
		var m map[string]any
		errStruct, errMap := reg.Decode(t.Context(), data, &o), reg.Decode(t.Context(), data, &m)
		assert.Equal(t, errStruct == nil, errMap == nil)
	})
}
