package elasticsearch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/convert"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// createIndex makes an index, or a data stream, when it is missing.
func (c *client) createIndex(ctx context.Context, index string, stream bool) error {
	notThere := func(err error) bool {
		var status *statusError
		return errors.As(err, &status) && status.status == http.StatusNotFound
	}
	path := "/" + url.PathEscape(index)
	err := c.retry(ctx, "check if index "+index+" exists", notThere, func() error {
		_, err := c.do(ctx, http.MethodHead, path, nil)
		return err
	})
	if err == nil || !notThere(err) {
		return err
	}
	exists := func(err error) bool {
		var status *statusError
		return errors.As(err, &status) && strings.Contains(status.kind, "resource_already_exists_exception")
	}
	what, body := "create index "+index, []byte(`{"settings":{},"aliases":{}}`)
	path += "?master_timeout=30s&timeout=30s"
	if stream {
		what, path, body = "create data stream "+index, "/_data_stream/"+url.PathEscape(index), nil
	}
	err = c.retry(ctx, what, exists, func() error {
		_, err := c.do(ctx, http.MethodPut, path, body)
		return err
	})
	if err != nil && exists(err) {
		return nil
	}
	return err
}

// createMapping gives an index without a mapping the one for a schema.
func (c *client) createMapping(ctx context.Context, index string, schema *data.Schema) error {
	path := "/" + url.PathEscape(index) + "/_mapping?master_timeout=30s"
	var known map[string]struct {
		Mappings map[string]json.RawMessage `json:"mappings"`
	}
	err := c.retry(ctx, "get mapping for index "+index, never, func() error {
		raw, err := c.do(ctx, http.MethodGet, path, nil)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &known); err != nil {
			return fmt.Errorf("reading the mapping of index %s: %w", index, err)
		}
		return nil
	})
	if err != nil || len(known[index].Mappings) > 0 {
		return err
	}
	body, err := mappingOf(schema)
	if err != nil {
		return err
	}
	return c.retry(ctx, "create mapping for index "+index, never, func() error {
		_, err := c.do(ctx, http.MethodPut, path+"&timeout=30s", body)
		return err
	})
}

// mappingOf gives the mapping for values of a schema.
func mappingOf(schema *data.Schema) ([]byte, error) {
	if schema == nil {
		return nil, fault.New(fault.Data, "Cannot infer mapping without schema.")
	}
	return appendMapping(nil, schema)
}

// mappingTypes are Elasticsearch's names of the primitive types.
var mappingTypes = map[data.Type]string{
	data.Int8: "byte", data.Int16: "short", data.Int32: "integer", data.Int64: "long", data.Float32: "float", data.Float64: "double",
	data.Boolean: "boolean", data.String: "text", data.Bytes: "binary",
}

func appendMapping(b []byte, s *data.Schema) ([]byte, error) {
	switch s.Name {
	case data.DateName, data.TimeName, data.TimestampName:
		return appendPrimitive(b, "date", s), nil
	case data.DecimalName:
		return appendPrimitive(b, "double", s), nil
	}
	switch s.Type {
	case data.Array:
		return appendMapping(b, s.Value)
	case data.MapType:
		return appendProperties(b, []data.Field{{Name: "key", Schema: s.Key}, {Name: "value", Schema: s.Value}})
	case data.StructType:
		return appendProperties(b, s.Fields)
	default:
		name, ok := mappingTypes[s.Type]
		if !ok {
			return nil, fault.New(fault.Data, "Cannot infer mapping for type %s", s.Type)
		}
		return appendPrimitive(b, name, s), nil
	}
}

func appendProperties(b []byte, fields []data.Field) ([]byte, error) {
	b = append(b, `{"properties":{`...)
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(convert.AppendJSONString(b, f.Name), ':')
		var err error
		if b, err = appendMapping(b, f.Schema); err != nil {
			return nil, err
		}
	}
	return append(b, "}}"...), nil
}

func appendPrimitive(b []byte, name string, s *data.Schema) []byte {
	b = convert.AppendJSONString(append(b, `{"type":`...), name)
	if name == "text" {
		return append(b, `,"fields":{"keyword":{"type":"keyword","ignore_above":256}}}`...)
	}
	switch v := s.Default.(type) {
	case nil, []byte:
	case time.Time:
		b = fmt.Appendf(b, `,"null_value":%d`, v.UnixMilli())
	default:
		b = fmt.Appendf(b, `,"null_value":%s`, data.Text(v))
	}
	return append(b, '}')
}
