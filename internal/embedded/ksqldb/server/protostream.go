package server

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/protobuf"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// protobufStream is an array of objects like objectStream's, whose rows are
// Protobuf messages in base64; the header brings their schema.
type protobufStream struct {
	objectStream
	serde *protobuf.Serde
	row64 []byte
}

func (s *protobufStream) begin(q *engine.Query) error {
	columns := make([]types.Column, len(q.Columns))
	for i, c := range q.Columns {
		columns[i] = types.Column{Name: c.Name, Type: c.Type}
	}
	var err error
	if s.serde, err = protobuf.New(context.Background(), protobuf.Config{Columns: columns, NoRegistry: true}, nil); err != nil {
		return &engine.Error{Code: engine.CodeServerError, Message: fmt.Sprintf("The rows have no Protobuf form: %s. Ask for %s.", err, typeKsql)}
	}
	return s.head(q, struct {
		ID     string `json:"queryId"`
		Schema string `json:"schema"`
		Proto  string `json:"protoSchema"`
	}{q.ID, schemaText(q.Columns), s.serde.SchemaText()})
}

func (s *protobufStream) row(r engine.Row) error {
	message, err := s.serde.Serialize(s.row64[:0], r.Values)
	if err != nil {
		return err
	}
	s.row64 = message
	s.open(`{"row":{"protobufBytes":"`)
	s.buf = append(base64.StdEncoding.AppendEncode(s.buf, message), '"')
	return s.close(r)
}
