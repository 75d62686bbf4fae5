package format

import (
	"bytes"
	"encoding/json"
)

// compactJSON takes the white space out of a JSON text; a text that isn't JSON
// is left alone. A bare name becomes a string, as Avro prints it.
func compactJSON(text string) string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		if quoted, err := json.Marshal(text); err == nil {
			return string(quoted)
		}
		return text
	}
	return b.String()
}
