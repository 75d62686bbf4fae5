package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// compareAnswers compares an answer with the recorded one.
func (r *replay) compareAnswers(x *exchange, resp *http.Response, body string) error {
	if resp.StatusCode != x.Status {
		return fmt.Errorf("status %d instead of %d: %s (recorded: %s)", resp.StatusCode, x.Status, body, clip(x.text()))
	}
	got := strings.Join(resp.Header["Content-Type"], ";")
	if want := x.Headers["content-type"]; got != want {
		return fmt.Errorf("content type %q instead of %q", got, want)
	}
	if want := x.Headers["location"]; resp.Header.Get("Location") != want {
		return fmt.Errorf("location %q instead of %q", resp.Header.Get("Location"), want)
	}
	if want := x.Headers["allow"]; resp.Header.Get("Allow") != want {
		return fmt.Errorf("allow %q instead of %q", resp.Header.Get("Allow"), want)
	}
	a, b := canonical(body), canonical(r.known(x.text()))
	if strings.Contains(a, "Limit Reached") || x.Ended == "complete" && strings.Contains(x.statement(), "LIMIT") {
		// Which rows come first depends on the order of the partitions.
		a, b = withoutRows(a), withoutRows(b)
	}
	if a != b {
		if shown := regexp.MustCompile(`"statementText":"(?:[^"\\]|\\.)*"`); shown.ReplaceAllString(a, "") == shown.ReplaceAllString(b, "") {
			return fmt.Errorf("only statementText differs: %s instead of %s", shown.FindString(a), shown.FindString(b))
		}
		at := 0
		for at < len(a) && at < len(b) && a[at] == b[at] {
			at++
		}
		from := max(0, at-60)
		return fmt.Errorf("…%s instead of …%s", clip(a[from:]), clip(b[from:]))
	}
	return nil
}

var rowPattern = regexp.MustCompile(`(?m)"columns":\[.*?\]\}|"protobufBytes":".*?"\}|^\[\d.*\]$|,\[\d.*?\]`)

// withoutRows keeps how many rows there are.
func withoutRows(text string) string { return rowPattern.ReplaceAllString(text, "ROW") }

func clip(text string) string {
	if len(text) > 400 {
		return text[:400] + "…"
	}
	return text
}

// volatile are the parts of answers that differ from run to run.
var volatile = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`((?:CSAS|CTAS|CST)_\w+?|INSERTQUERY)_\d+`), "${1}_N"},
	{regexp.MustCompile(`(?i)(transient_\w+?)_-?\d+`), "${1}_N"},
	{regexp.MustCompile(`query_\d{13}`), "query_N"},
	{regexp.MustCompile(`"commandSequenceNumber":-?\d+`), `"commandSequenceNumber":0`},
	{regexp.MustCompile(`("kafkaClusterId"|"kafka-cluster"):"[^"]*"`), `$1:""`},
	{regexp.MustCompile(`"statistics":"[^"]*"`), `"statistics":""`},
	{regexp.MustCompile(`_SCHEMA_ID=\d+`), `_SCHEMA_ID=N`},
	{regexp.MustCompile(`"clusterStatistics":\[[^\]]*\]`), `"clusterStatistics":[]`},
	{regexp.MustCompile(`(transient_\w+_N)_\d{13}`), "$1"},
	{regexp.MustCompile(`("endOffset"|"committedOffset"):-?\d+`), "$1:0"},
	{regexp.MustCompile(`(without key in topic partition\\n\\t[\w.-]+)-\d+`), "$1-N"},
}

// ownTexts are the parts of answers that are prose of the manual, which is the
// product's own: whether there is any is up to it, too.
var ownTexts = regexp.MustCompile(`"description":"(?:[^"\\]|\\.)*"`)

// canonical brings an answer into a form in which equal answers are equal texts.
func canonical(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.with)
	}
	if strings.HasPrefix(text, `[{"@type":"describe_function"`) {
		text = ownTexts.ReplaceAllString(text, `"description":""`)
	}
	if strings.HasPrefix(text, "rowtime:") || strings.HasPrefix(text, "Key format:") || strings.TrimSpace(text) == "" {
		return strings.TrimRight(text, "\n")
	}
	var value any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&value) == nil && !dec.More() {
		if list, ok := value.([]any); ok && len(list) > 1 && isRows(list) {
			sortRows(list[1:])
		} else {
			sortLists(value)
		}
		out, err := json.Marshal(value)
		if err == nil {
			return string(out)
		}
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > 1 {
		last := len(lines)
		if strings.Contains(lines[last-1], "finalMessage") || lines[last-1] == "]" {
			last--
		}
		slices.Sort(lines[1:last])
	}
	return strings.Join(lines, "\n")
}

// isRows tells streamed answers, whose rows may come in another order.
func isRows(list []any) bool {
	first, ok := list[0].(map[string]any)
	return ok && (first["header"] != nil || first["queryId"] != nil)
}

func sortRows(list []any) {
	last := len(list)
	if m, ok := list[last-1].(map[string]any); ok && m["finalMessage"] != nil {
		last--
	}
	slices.SortFunc(list[:last], func(a, b any) int { return strings.Compare(asText(a), asText(b)) })
}

func asText(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// unordered are the members whose elements come in no particular order.
var unordered = []string{
	"streams", "tables", "queries", "topics", "functions", "properties", "defaultProperties", "readQueries", "writeQueries",
	"sourceDescriptions", "queryDescriptions", "sourceConstraints", "connectorsPlugins", "tasksMetadata",
}

func sortLists(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			sortLists(e)
		}
	case map[string]any:
		for name, e := range v {
			sortLists(e)
			if list, ok := e.([]any); ok && slices.Contains(unordered, name) {
				slices.SortFunc(list, func(a, b any) int { return strings.Compare(asText(a), asText(b)) })
			}
		}
	}
}

// known leaves out of a recorded answer what lists tell of things that no request
// in the recording has made: it is not complete, and others used the same
// brokers and the same Connect.
func (r *replay) known(text string) string {
	var value any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if !strings.HasPrefix(text, "[{\"@type\"") && !strings.HasPrefix(text, "{\"commandStatuses\"") || dec.Decode(&value) != nil {
		return text
	}
	r.keepKnown(value)
	out, err := json.Marshal(value)
	require.NoError(r.t, err)
	return string(out)
}

func (r *replay) keepKnown(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			r.keepKnown(e)
		}
	case map[string]any:
		for name, e := range v {
			switch list := e.(type) {
			case []any:
				if slices.Contains(unordered, name) {
					v[name] = slices.DeleteFunc(list, func(e any) bool { return !r.isKnown(name, e) })
				}
			case map[string]any:
				if name == "types" || name == "commandStatuses" {
					maps.DeleteFunc(list, func(name string, _ any) bool { return !r.mentioned(name) })
				}
			}
			r.keepKnown(e)
		}
	}
}

// isKnown tells elements of lists that the recorded requests have made.
func (r *replay) isKnown(list string, element any) bool {
	if name, ok := element.(string); ok {
		return list != "sourceConstraints" || r.mentioned(name)
	}
	object, ok := element.(map[string]any)
	if !ok {
		return true
	}
	name, _ := object["name"].(string)
	switch list {
	case "streams", "tables", "sourceDescriptions":
		return r.mentioned(name)
	case "queries", "readQueries", "writeQueries", "queryDescriptions":
		id, _ := object["id"].(string)
		text, _ := object["queryString"].(string)
		return r.mentioned(id) && (!strings.HasPrefix(text, "INSERT INTO") || r.sent(text))
	case "topics":
		return !strings.HasPrefix(name, "c-") && !strings.HasPrefix(name, "_connect-")
	}
	return true
}

// ids of persistent queries and of commands carry the names of what they are
// about.
var queryName = regexp.MustCompile(`^(?:(?:CSAS|CTAS|CST)_)?(.*?)(?:_\d+)?$`)

// mentioned reports whether a request of the recording has the name in it.
func (r *replay) mentioned(id string) bool {
	name := id
	if parts := strings.Split(id, "/"); len(parts) == 3 {
		name = strings.Trim(parts[1], "`")
	}
	if strings.HasPrefix(name, "transient_") || name == "ALL" || name == "KSQL_PROCESSING_LOG" {
		return true
	}
	if found := queryName.FindStringSubmatch(name); found != nil {
		name = found[1]
	}
	return name == "INSERTQUERY" || r.words[strings.ToUpper(name)]
}

// sent reports whether a request of the recording has the statement in it.
func (r *replay) sent(statement string) bool {
	return slices.ContainsFunc(r.lines, func(x exchange) bool { return strings.Contains(x.statement(), statement) })
}

var wordPattern = regexp.MustCompile(`[\w-]+`)

// wordsOf are all words of the requests.
func wordsOf(lines []exchange) map[string]bool {
	words := map[string]bool{}
	for i := range lines {
		for _, word := range wordPattern.FindAllString(strings.ToUpper(lines[i].RequestBody), -1) {
			words[word] = true
		}
	}
	return words
}
