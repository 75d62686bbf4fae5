package function_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
)

type recordedArgument struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Variadic bool   `json:"isVariadic"`
}

type recordedSignature struct {
	Arguments  []recordedArgument `json:"arguments"`
	ReturnType string             `json:"returnType"`
}

type recordedFunction struct {
	Name      string              `json:"name"`
	Type      string              `json:"type"`
	Category  string              `json:"category"`
	Author    string              `json:"author"`
	Functions []recordedSignature `json:"functions"`
}

func signatureText(name string, params []function.Param, result string) string {
	parts := make([]string, len(params))
	for i, p := range params {
		dots := ""
		if p.Variadic {
			dots = "..."
		}
		parts[i] = p.Type.String() + dots + " " + p.Name
	}
	return strings.ToUpper(name) + "(" + strings.Join(parts, ", ") + ") " + result
}

// TestRecordedSignatures compares the list of functions, and the signatures of
// those that were described, with a real ksqlDB's.
func TestRecordedSignatures(t *testing.T) {
	dir := os.Getenv("ORDERFLOW_RECORDED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "..", "shared", "recorded")
	}
	f, err := os.Open(filepath.Join(dir, "http", "show.jsonl"))
	if err != nil {
		t.Skipf("no recordings: %v (set ORDERFLOW_RECORDED)", err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	described := 0
	for lines.Scan() {
		var exchange struct {
			Body json.RawMessage `json:"body"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &exchange))
		var text string
		if json.Unmarshal(exchange.Body, &text) == nil {
			exchange.Body = json.RawMessage(text)
		}
		var answers []json.RawMessage
		if json.Unmarshal(exchange.Body, &answers) != nil {
			continue
		}
		for _, a := range answers {
			var kind struct {
				Type string `json:"@type"`
			}
			if json.Unmarshal(a, &kind) != nil {
				continue
			}
			switch kind.Type {
			case "function_names":
				compareNames(t, a)
			case "describe_function":
				described++
				compareSignatures(t, a)
			}
		}
	}
	require.NoError(t, lines.Err())
	assert.Positive(t, described)
}

func compareNames(t *testing.T, answer json.RawMessage) {
	var recorded struct {
		Functions []recordedFunction `json:"functions"`
	}
	require.NoError(t, json.Unmarshal(answer, &recorded))
	var want, got []string
	for _, f := range recorded.Functions {
		want = append(want, f.Name+" "+f.Type+" "+f.Category)
	}
	r := builtin(t)
	for _, f := range r.Scalars() {
		got = append(got, strings.ToUpper(f.Name)+" SCALAR "+f.Category)
	}
	for _, f := range r.Tables() {
		got = append(got, strings.ToUpper(f.Name)+" TABLE "+f.Category)
	}
	for _, f := range r.Aggregates() {
		got = append(got, strings.ToUpper(f.Name)+" AGGREGATE "+f.Category)
	}
	slices.Sort(want)
	slices.Sort(got)
	assert.Equal(t, want, got)
}

func compareSignatures(t *testing.T, answer json.RawMessage) {
	var want recordedFunction
	require.NoError(t, json.Unmarshal(answer, &want))
	r := builtin(t)
	var info function.Info
	var got []string
	switch want.Type {
	case "SCALAR":
		f, err := r.Scalar(want.Name)
		require.NoError(t, err)
		info = f.Info
		for _, o := range f.Overloads {
			got = append(got, signatureText(f.Name, o.Params, o.Returns))
		}
	case "TABLE":
		f, err := r.Table(want.Name)
		require.NoError(t, err)
		info = f.Info
		for _, o := range f.Overloads {
			got = append(got, signatureText(f.Name, o.Params, o.Returns))
		}
	default:
		f, err := r.Aggregate(want.Name)
		require.NoError(t, err)
		info = f.Info
		for _, o := range f.Overloads {
			got = append(got, signatureText(f.Name, o.Params, o.Returns))
		}
	}
	assert.Equal(t, want.Author, info.Author, want.Name)
	var recorded []string
	for _, s := range want.Functions {
		parts := make([]string, len(s.Arguments))
		for i, a := range s.Arguments {
			dots := ""
			if a.Variadic {
				dots = "..."
			}
			parts[i] = a.Type + dots + " " + a.Name
		}
		recorded = append(recorded, want.Name+"("+strings.Join(parts, ", ")+") "+s.ReturnType)
	}
	assert.Equal(t, recorded, got, want.Name)
}
