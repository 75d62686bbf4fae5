package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// streamPatience bounds the wait for the rows of one recorded stream.
const streamPatience = 1500 * time.Millisecond

var transientID = regexp.MustCompile(`(?i)transient_\w+?_-?\d+`)

// stream replays a query: rows may come in another order where they are of
// different partitions, and a query that the client ended is ended when it has
// given as much as the recorded one.
func (r *replay) stream(i int, results map[int]error) {
	x := &r.lines[i]
	held := r.held
	r.held = nil
	want := x.text()
	if strings.Contains(x.statement(), "PRINT") {
		want = strings.TrimRight(want, "\n") + "\n" // idle printing gives blank lines
	}
	if len(held) == 0 && x.Ended == "complete" && !strings.Contains(x.Note, "rows are produced") {
		results[i] = r.compare(x, x.RequestBody)
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, streamPatience)
	defer cancel()
	saved := r.ctx
	r.ctx = ctx
	resp, err := r.request(x, x.RequestBody)
	r.ctx = saved
	if err != nil {
		results[i] = err
		return
	}
	defer resp.Body.Close()
	expected := len(want)
	if len(held) > 0 {
		expected = len(strings.TrimSuffix(strings.TrimSuffix(want, "]"), `{"finalMessage":"Query Completed"}`))
	}
	var got bytes.Buffer
	head := headOf(want)
	readTo := func(n int) error {
		_, err := io.CopyN(&got, resp.Body, int64(n-got.Len()))
		return err
	}
	// Ids differ in length from the recorded one.
	firstErr := r.readHead(resp, &got)
	if firstErr == nil {
		expected += got.Len() - len(head)
		if strings.Contains(x.Note, "rows are produced") {
			r.produceRows(want)
		}
		firstErr = readTo(expected)
	}
	if len(held) > 0 {
		id := transientID.FindString(got.String())
		for _, h := range held {
			results[h] = r.compare(&r.lines[h], transientID.ReplaceAllString(r.lines[h].RequestBody, id))
		}
		_, firstErr = io.Copy(&got, resp.Body)
	} else if x.Ended == "complete" {
		_, firstErr = io.Copy(&got, resp.Body)
	}
	if firstErr != nil && !errors.Is(firstErr, io.EOF) && got.Len() < expected {
		results[i] = fmt.Errorf("got only %q: %w", got.String(), firstErr)
		return
	}
	results[i] = compareAnswers(x, resp, got.String())
}

// headOf is what readHead reads of a text.
func headOf(text string) string {
	if strings.HasPrefix(text, `[{"queryId`) {
		return text[:strings.IndexByte(text, '}')+1]
	}
	line, _, found := strings.Cut(text, "\n")
	if found {
		line += "\n"
	}
	return line
}

// readHead reads the first line, or the metadata object of an array.
func (r *replay) readHead(resp *http.Response, got *bytes.Buffer) error {
	one := make([]byte, 1)
	depth := 0
	for {
		if _, err := io.ReadFull(resp.Body, one); err != nil {
			return err
		}
		got.WriteByte(one[0])
		switch one[0] {
		case '\n':
			return nil
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 && strings.HasPrefix(got.String(), `[{"queryId`) {
				return nil
			}
		}
	}
}

// produceRows writes the records of stream S1 that the recorder wrote while the
// query ran.
func (r *replay) produceRows(want string) {
	var id, a int32
	write := func() {
		rec := &kgo.Record{Topic: "s1", Key: binary.BigEndian.AppendUint32(nil, uint32(id)), Value: fmt.Appendf(nil, `{"A":%d}`, a)}
		require.NoError(r.t, r.kafka.ProduceSync(r.ctx, rec).FirstErr())
	}
	for _, m := range regexp.MustCompile(`\[(\d+),(\d+)\]`).FindAllStringSubmatch(want, -1) {
		_, err := fmt.Sscan(m[1]+" "+m[2], &id, &a)
		require.NoError(r.t, err)
		write()
	}
	a++ // the one beyond the query's LIMIT, which later queries show
	write()
}

// compareAnswers compares an answer with the recorded one.
func compareAnswers(x *exchange, resp *http.Response, body string) error {
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
	a, b := canonical(body), canonical(x.text())
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

var rowPattern = regexp.MustCompile(`(?m)"columns":\[.*?\]\}|^\[\d.*\]$|,\[\d.*?\]`)

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
}

// canonical brings an answer into a form in which equal answers are equal texts.
func canonical(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.with)
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
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
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
	"sourceDescriptions", "queryDescriptions", "sourceConstraints", "connectorsPlugins",
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
