package format

import (
	"context"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/avro"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/delimited"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/json"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/jsonsr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/kafka"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/none"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/protobuf"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// newSerde makes the Serde of a valid spec.
func newSerde(ctx context.Context, spec Spec, reg SchemaRegistry) (Serde, error) {
	switch spec.Format {
	case None:
		return none.Serde{}, nil
	case Kafka:
		var t *types.Type
		if len(spec.Columns) == 1 {
			t = spec.Columns[0].Type
		}
		return kafka.New(t, spec.Topic), nil
	case Delimited:
		delimiter := ','
		if spec.Delimiter != "" {
			var err error
			if delimiter, err = delimiterByte(spec.Delimiter); err != nil {
				return nil, err
			}
		}
		return delimited.New(spec.Columns, delimiter, spec.Topic), nil
	case JSON:
		return json.New(json.Config{Columns: spec.Columns, Unwrapped: spec.Unwrapped(), IsKey: spec.IsKey, Topic: spec.Topic}), nil
	case Avro:
		return avro.New(ctx, avro.Config{
			Columns: spec.Columns, Unwrapped: spec.Unwrapped(), Topic: spec.Topic, Subject: spec.Subject(),
			FullName: spec.avroName(), SchemaID: spec.SchemaID,
		}, reg)
	case JSONSR:
		return jsonsr.New(ctx, jsonsr.Config{
			Columns: spec.Columns, Unwrapped: spec.Unwrapped(), Topic: spec.Topic, Subject: spec.Subject(), SchemaID: spec.SchemaID,
		}, reg)
	default:
		return protobuf.New(ctx, protobuf.Config{
			Columns: spec.Columns, Unwrapped: spec.Unwrapped(), Topic: spec.Topic, Subject: spec.Subject(),
			FullName: spec.FullName, Nullable: protobuf.Nullable(strings.ToUpper(spec.ProtobufNullable)),
			SchemaID: spec.SchemaID, NoRegistry: spec.Format == ProtobufNoSR,
		}, reg)
	}
}

// row is the type that is written: the columns as a record, or the bare column.
func (s Spec) row() *types.Type {
	if s.Unwrapped() {
		return s.Columns[0].Type
	}
	return serde.RowType(s.Columns)
}
