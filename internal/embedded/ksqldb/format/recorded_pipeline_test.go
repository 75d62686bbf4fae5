package format_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Every value that the pipeline's topics got is read as recorded, and written
// by its schema's id comes out as the same bytes: those of other producers,
// with camelCase names and enums, and those of ksqlDB's own sinks.
func TestRecordedPipelineValues(t *testing.T) {
	folder := recordedFolder(t, "pipeline")
	var subjects []recordedSubject
	readJSON(t, filepath.Join(folder, "subjects-after-ddl.json"), &subjects)
	reg := &registry.Memory{}
	for _, s := range subjects {
		reg.Put(s.Subject, s.ID, registry.Schema{Text: s.Schema})
	}
	files, err := filepath.Glob(filepath.Join(folder, "scenario-*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	serdes := map[string]format.Serde{}
	checked := 0
	for _, file := range files {
		var scenario struct {
			Topics map[string][]struct {
				ValueHex *string `json:"value_hex"`
				Value    json.RawMessage
			}
		}
		readJSON(t, file, &scenario)
		for topic, records := range scenario.Topics {
			for _, r := range records {
				data := fromHex(t, r.ValueHex)
				if len(data) < 5 || data[0] != 0 || r.Value == nil {
					continue
				}
				id := int(binary.BigEndian.Uint32(data[1:]))
				s, cols := pipelineSerde(t, reg, serdes, topic, id)
				values, err := s.Deserialize(data)
				require.NoError(t, err, topic)
				row := display(rowType(cols), types.StructValue(values), false)
				require.True(t, sameJSON(row, string(r.Value)), "%s: %s, want %s", topic, row, r.Value)
				back, err := s.Serialize(nil, values)
				require.NoError(t, err, topic)
				require.Equal(t, data, back, topic)
				checked++
			}
		}
	}
	assert.Greater(t, checked, 100)
}

func pipelineSerde(t *testing.T, reg *registry.Memory, serdes map[string]format.Serde, topic string, id int) (format.Serde, []types.Column) {
	spec := format.Spec{Format: "AVRO", Topic: topic, SchemaID: &id}
	inferred, err := format.Infer(context.Background(), reg, spec)
	require.NoError(t, err)
	s := serdes[topic]
	if s == nil {
		spec.Columns = inferred.Columns
		s, err = format.New(context.Background(), spec, reg)
		require.NoError(t, err)
		serdes[topic] = s
	}
	return s, inferred.Columns
}

func rowType(cols []types.Column) *types.Type {
	var fields []types.Field
	for _, c := range cols {
		fields = append(fields, types.Field{Name: c.Name, Type: c.Type})
	}
	return types.StructOf(fields...)
}

func readJSON(t *testing.T, path string, v any) {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, v))
}
