package convert_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/connect/convert"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
)

const avroClass = "io.confluent.connect.avro.AvroConverter"

// person is a struct whose schema can be told apart in the registry.
func person(fields ...string) (*data.Schema, *data.Struct) {
	s := &data.Schema{Type: data.StructType, Name: "shop.Person", Fields: []data.Field{{Name: "id", Schema: data.Of(data.Int64)}}}
	for _, f := range fields {
		s.Fields = append(s.Fields, data.Field{Name: f, Schema: data.OptionalOf(data.String)})
	}
	v := data.NewStruct(s)
	v.Values[0] = int64(7)
	return s, v
}

func TestTheLatestSchemaIsUsed(t *testing.T) {
	url, client := startRegistry(t)
	for class, latest := range map[string]struct {
		kind    sr.SchemaType
		fits    string
		differs string
	}{
		avroClass: {sr.TypeAvro,
			`{"type":"record","name":"Person","namespace":"shop","fields":[{"name":"id","type":"long"},{"name":"more","type":["null","string"],"default":null}]}`,
			`{"type":"record","name":"Person","namespace":"shop","fields":[{"name":"id","type":"long"},{"name":"must","type":"string"}]}`},
		jsonSchemaClass: {sr.TypeJSON,
			`{"type":"object","title":"shop.Person","properties":{"id":{"type":"integer","connect.index":0,"connect.type":"int64"}},"description":"registered by hand"}`,
			`{"type":"object","title":"shop.Person","properties":{"id":{"type":"string"}}}`},
		protobufClass: {sr.TypeProtobuf,
			"syntax = \"proto3\";\npackage shop;\nmessage Other {\n  string a = 1;\n}\nmessage Person {\n  int64 id = 1;\n  string more = 2;\n}\n",
			"syntax = \"proto3\";\npackage shop;\nmessage Person {\n  string id = 1;\n}\n"},
	} {
		settings := map[string]string{"schema.registry.url": url, "auto.register.schemas": "false", "use.latest.version": "true"}
		schema, value := person()
		fits, err := client.CreateSchema(t.Context(), class+"-fits-value", sr.Schema{Schema: latest.fits, Type: latest.kind})
		require.NoError(t, err, class)
		raw, err := newConverter(t, class, settings).FromConnect(t.Context(), class+"-fits", schema, value)
		require.NoError(t, err, class)
		assert.Equal(t, byte(fits.ID), raw[4], class)
		_, got, err := newConverter(t, class, settings).ToConnect(t.Context(), "t", raw)
		require.NoError(t, err, class)
		id, _ := got.(*data.Struct).Get("id")
		assert.Equal(t, int64(7), id, class)

		_, err = client.CreateSchema(t.Context(), class+"-differs-value", sr.Schema{Schema: latest.differs, Type: latest.kind})
		require.NoError(t, err, class)
		_, err = newConverter(t, class, settings).FromConnect(t.Context(), class+"-differs", schema, value)
		require.ErrorContains(t, err, "Incompatible schema '", class)
		require.ErrorContains(t, err, "' with refs '[]' of type '"+latest.kind.String()+"' for schema '", class)
		require.ErrorContains(t, err, "Set latest.compatibility.strict=false to disable this check.", class)

		_, err = newConverter(t, class, settings).FromConnect(t.Context(), class+"-none", schema, value)
		require.ErrorContains(t, err, "register one first", class)

		delete(settings, "use.latest.version")
		_, err = newConverter(t, class, settings).FromConnect(t.Context(), class+"-fits", schema, value)
		require.ErrorContains(t, err, "looking up the schema", class)
		delete(settings, "auto.register.schemas")
		own, err := newConverter(t, class, settings).FromConnect(t.Context(), class+"-own", schema, value)
		require.NoError(t, err, class)
		settings["auto.register.schemas"] = "false"
		found, err := newConverter(t, class, settings).FromConnect(t.Context(), class+"-own", schema, value)
		require.NoError(t, err, class)
		assert.Equal(t, own, found, class)
	}
}

func TestALaxConverterWritesWithAnySchema(t *testing.T) {
	url, client := startRegistry(t)
	registered, err := client.CreateSchema(t.Context(), "t-value", sr.Schema{Schema: `{"type":"object","title":"x","properties":{"id":{"type":"string"}}}`, Type: sr.TypeJSON})
	require.NoError(t, err)
	schema, value := person()
	raw, err := newConverter(t, jsonSchemaClass, map[string]string{
		"schema.registry.url": url, "auto.register.schemas": "false", "use.latest.version": "true", "latest.compatibility.strict": "false",
	}).FromConnect(t.Context(), "t", schema, value)
	require.NoError(t, err)
	assert.Equal(t, byte(registered.ID), raw[4])
	assert.JSONEq(t, `{"id":7}`, string(raw[5:]))
}

func TestSubjectsAreNamedByTheStrategy(t *testing.T) {
	url, client := startRegistry(t)
	const strategies = "io.confluent.kafka.serializers.subject."
	for _, class := range []string{avroClass, jsonSchemaClass, protobufClass} {
		for strategy, want := range map[string]string{"TopicNameStrategy": "orders-value", "RecordNameStrategy": "shop.Person", "TopicRecordNameStrategy": "orders-shop.Person"} {
			schema, value := person()
			c := newConverter(t, class, map[string]string{"schema.registry.url": url, "value.subject.name.strategy": strategies + strategy})
			_, err := c.FromConnect(t.Context(), "orders", schema, value)
			require.NoError(t, err)
			subjects, err := client.Subjects(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{want}, subjects, "%s of %s", strategy, class)
			_, err = client.DeleteSubject(t.Context(), want, sr.SoftDelete)
			require.NoError(t, err)
		}
	}
	c := newConverter(t, avroClass, map[string]string{"schema.registry.url": url, "value.subject.name.strategy": strategies + "RecordNameStrategy"})
	_, err := c.FromConnect(t.Context(), "orders", data.Of(data.String), "no record")
	require.ErrorContains(t, err, "In configuration value.subject.name.strategy = io.confluent.kafka.serializers.subject.RecordNameStrategy, the message value must only be a record schema")
}

func TestSchemasMayReferToOthers(t *testing.T) {
	url, client := startRegistry(t)
	register := func(subject string, s sr.Schema) int {
		registered, err := client.CreateSchema(t.Context(), subject, s)
		require.NoError(t, err)
		return registered.ID
	}
	frame := func(id int, rest ...byte) []byte { return append([]byte{0, 0, 0, 0, byte(id)}, rest...) }
	field := func(v any, name string) any {
		value, ok := v.(*data.Struct).Get(name)
		require.True(t, ok, name)
		return value
	}
	settings := map[string]string{"schema.registry.url": url}

	register("city-avro", sr.Schema{Schema: `{"type":"record","name":"City","namespace":"shop","fields":[{"name":"name","type":"string"}]}`})
	register("address-avro", sr.Schema{Schema: `{"type":"record","name":"Address","namespace":"shop","fields":[{"name":"city","type":"shop.City"}]}`,
		References: []sr.SchemaReference{{Name: "shop.City", Subject: "city-avro", Version: 1}}})
	id := register("avro-value", sr.Schema{Schema: `{"type":"record","name":"Customer","namespace":"shop","fields":[{"name":"home","type":"shop.Address"},{"name":"work","type":["null","shop.Address"],"default":null}]}`,
		References: []sr.SchemaReference{{Name: "shop.Address", Subject: "address-avro", Version: 1}}})
	_, v, err := newConverter(t, avroClass, settings).ToConnect(t.Context(), "t", frame(id, 4, 'O', 'x', 2, 4, 'Y', 'z'))
	require.NoError(t, err)
	assert.Equal(t, "Ox", field(field(field(v, "home"), "city"), "name"))
	assert.Equal(t, "Yz", field(field(field(v, "work"), "city"), "name"))

	register("address-json", sr.Schema{Type: sr.TypeJSON, Schema: `{"type":"object","title":"Address","properties":{"city":{"$ref":"#/definitions/name"}},"definitions":{"name":{"type":"string"}}}`})
	id = register("json-value", sr.Schema{Type: sr.TypeJSON, Schema: `{"type":"object","title":"Customer","properties":{"home":{"$ref":"address.json"},"name":{"$ref":"address.json#/definitions/name"}}}`,
		References: []sr.SchemaReference{{Name: "address.json", Subject: "address-json", Version: 1}}})
	_, v, err = newConverter(t, jsonSchemaClass, settings).ToConnect(t.Context(), "t", frame(id, []byte(`{"home":{"city":"Ox"},"name":"n"}`)...))
	require.NoError(t, err)
	assert.Equal(t, "Ox", field(field(v, "home"), "city"))
	assert.Equal(t, "n", field(v, "name"))

	register("address-proto", sr.Schema{Type: sr.TypeProtobuf, Schema: "syntax = \"proto3\";\npackage shop;\nmessage Address {\n  string city = 1;\n}\n"})
	id = register("proto-value", sr.Schema{Type: sr.TypeProtobuf, Schema: "syntax = \"proto3\";\npackage shop;\nimport \"address.proto\";\nmessage Customer {\n  Address home = 1;\n}\n",
		References: []sr.SchemaReference{{Name: "address.proto", Subject: "address-proto", Version: 1}}})
	_, v, err = newConverter(t, protobufClass, settings).ToConnect(t.Context(), "t", frame(id, 0, 0x0a, 4, 0x0a, 2, 'O', 'x'))
	require.NoError(t, err)
	assert.Equal(t, "Ox", field(field(v, "home"), "city"))
}

func TestEnumsStayEnumsWithEnhancedSupport(t *testing.T) {
	url, client := startRegistry(t)
	const text = `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","DONE"]}}]}`
	registered, err := client.CreateSchema(t.Context(), "in-value", sr.Schema{Schema: text})
	require.NoError(t, err)
	c := newConverter(t, avroClass, map[string]string{"schema.registry.url": url, "enhanced.avro.schema.support": "true", "connect.meta.data": "false"})
	schema, value, err := c.ToConnect(t.Context(), "in", []byte{0, 0, 0, 0, byte(registered.ID), 2})
	require.NoError(t, err)
	raw, err := c.FromConnect(t.Context(), "out", schema, value)
	require.NoError(t, err)
	assert.Equal(t, byte(2), raw[5], "the second symbol")
	written, err := client.SchemaByVersion(t.Context(), "out-value", -1)
	require.NoError(t, err)
	assert.JSONEq(t, text, written.Schema.Schema)

	c = newConverter(t, avroClass, map[string]string{"schema.registry.url": url, "connect.meta.data": "false"})
	_, err = c.FromConnect(t.Context(), "plain", schema, value)
	require.NoError(t, err)
	written, err = client.SchemaByVersion(t.Context(), "plain-value", -1)
	require.NoError(t, err)
	assert.JSONEq(t, `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"state","type":"string"}]}`, written.Schema.Schema)
}

// protectedRegistry answers the registration of a schema to those who may ask.
func protectedRegistry(t *testing.T) (server *httptest.Server, authorization *string) {
	t.Helper()
	authorization = new(string)
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*authorization = r.Header.Get("Authorization")
		w.Write([]byte(`{"id":1,"version":1,"schema":"\"string\"","subject":"t-value"}`)) //nolint:errcheck // the client will tell
	}))
	t.Cleanup(server.Close)
	return server, authorization
}

func TestConvertersLogInToTheRegistry(t *testing.T) {
	server, authorization := protectedRegistry(t)
	server.Start()
	for want, settings := range map[string]map[string]string{
		"Basic dXNlcjpwYTpzcw==": {"basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "user:pa:ss"},
		"Bearer tok":             {"bearer.auth.credentials.source": "STATIC_TOKEN", "bearer.auth.token": "tok"},
		"":                       {"basic.auth.user.info": "user:pass"}, // the source is the URL
	} {
		settings["schema.registry.url"] = server.URL
		_, err := newConverter(t, avroClass, settings).FromConnect(t.Context(), "t", data.Of(data.String), "x")
		require.NoError(t, err)
		assert.Equal(t, want, *authorization)
	}
	_, err := convert.New(convert.Environment{}, avroClass, convert.Value, map[string]string{"schema.registry.url": server.URL, "basic.auth.credentials.source": "USER_INFO"})
	require.ErrorContains(t, err, "UserInfo must be provided when basic.auth.credentials.source is set to USER_INFO")
}

func TestConvertersTrustWhatTheSettingsSay(t *testing.T) {
	server, _ := protectedRegistry(t)
	server.StartTLS()
	trusted := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, []byte(trusted), 0o600))
	const prefix = "schema.registry.ssl.truststore."
	write := func(settings map[string]string) error {
		settings["schema.registry.url"] = server.URL
		c, err := convert.New(convert.Environment{}, avroClass, convert.Value, settings)
		if err != nil {
			return err
		}
		_, err = c.FromConnect(t.Context(), "t", data.Of(data.String), "x")
		return err
	}
	require.NoError(t, write(map[string]string{prefix + "type": "PEM", prefix + "certificates": trusted}))
	require.NoError(t, write(map[string]string{prefix + "type": "PEM", prefix + "location": file}))
	require.NoError(t, write(map[string]string{prefix + "type": "PEM", prefix + "location": file, "schema.registry.ssl.endpoint.identification.algorithm": ""}))
	require.ErrorContains(t, write(map[string]string{}), "certificate")
	require.ErrorContains(t, write(map[string]string{"schema.registry.ssl.endpoint.identification.algorithm": ""}), "certificate", "whose it is does not matter, where it comes from does")
	require.ErrorContains(t, write(map[string]string{prefix + "location": file}), "reads PEM only")
	require.ErrorContains(t, write(map[string]string{prefix + "type": "PEM", prefix + "certificates": "none"}), "No matching certificate entries in PEM file")
	require.ErrorContains(t, write(map[string]string{prefix + "type": "PEM", prefix + "location": file + ".none"}), "Failed to load PEM SSL keystore")
}
