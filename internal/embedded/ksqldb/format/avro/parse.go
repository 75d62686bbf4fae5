package avro

import (
	"encoding/json"
	"strings"

	"github.com/twmb/avro"
)

// defaultPrecision is what Connect takes for a decimal without precision.
const defaultPrecision = 64

// parse reads a schema for raw coding.
func parse(text string) (*avro.Schema, error) {
	return lenient(text, func(text string) (*avro.Schema, error) { return avro.Parse(text, rawLogicalTypes()...) })
}

// lenient reads a schema whose decimals may lack their precision, which Connect
// allows and Avro's specification doesn't.
func lenient(text string, parse func(string) (*avro.Schema, error)) (*avro.Schema, error) {
	schema, err := parse(text)
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
	return parse(string(completed))
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
