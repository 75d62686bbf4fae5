package avro

import (
	"encoding/json"
	"strings"

	"github.com/twmb/avro"
)

// defaultPrecision is what Connect takes for a decimal without precision.
const defaultPrecision = 64

// parse reads a schema for raw coding. Decimals may lack their precision, which
// Connect allows and Avro's specification doesn't.
func parse(text string) (*avro.Schema, error) {
	schema, err := avro.Parse(text, rawLogicalTypes()...)
	if err == nil || !strings.Contains(text, `"decimal"`) {
		return schema, err
	}
	var v any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&v) != nil || !addPrecision(v) {
		return nil, err
	}
	completed, marshalErr := json.Marshal(v)
	if marshalErr != nil {
		return nil, err
	}
	return avro.Parse(string(completed), rawLogicalTypes()...)
}

// addPrecision completes the decimals within a schema and reports whether there
// were any to complete.
func addPrecision(v any) bool {
	changed := false
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			changed = addPrecision(e) || changed
		}
	case map[string]any:
		if _, given := v["precision"]; v["logicalType"] == "decimal" && !given {
			v["precision"] = defaultPrecision
			changed = true
		}
		for _, e := range v {
			changed = addPrecision(e) || changed
		}
	}
	return changed
}
