// Package conformance runs ksqlDB's own test cases against the engine: the
// query-validation-tests, as ksqlDB's documentation for contributors describes
// them. It reads the cases from a folder outside of the repository; none is kept
// here.
//
// A case is one entry of a file. It passes when it passes in all the formats it
// lists: its statements are accepted or refused with the expected text, and
// every topic that it lists outputs of has exactly these records.
//
// Invariants: a case runs on an engine of its own, in process, with one
// partition a topic and query by query; nothing of one case reaches another; a
// panic or a time limit fails the case alone.
package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Case is one entry of a file.
type Case struct {
	// File is the file's name, Index the entry's position in it.
	File  string
	Index int
	Test  Test
	raw   json.RawMessage
}

// Key names the case in the list of known failures.
func (c Case) Key() string { return fmt.Sprintf("%s|%s|%d", c.File, c.Test.Name, c.Index) }

// Test is what an entry says.
type Test struct {
	Name       string             `json:"name"`
	Format     []string           `json:"format"`
	Config     []string           `json:"config"`
	Properties map[string]any     `json:"properties"`
	Topics     []TopicSpec        `json:"topics"`
	Statements []string           `json:"statements"`
	Inputs     []RecordSpec       `json:"inputs"`
	Outputs    []RecordSpec       `json:"outputs"`
	Exception  *ExpectedException `json:"expectedException"`
	Post       *Post              `json:"post"`
}

// TopicSpec is a topic that exists before the statements.
type TopicSpec struct {
	Name            string          `json:"name"`
	Format          string          `json:"format"`
	KeyFormat       string          `json:"keyFormat"`
	ValueFormat     string          `json:"valueFormat"`
	Schema          json.RawMessage `json:"schema"`
	KeySchema       json.RawMessage `json:"keySchema"`
	ValueSchema     json.RawMessage `json:"valueSchema"`
	KeySchemaID     *int            `json:"keySchemaId"`
	ValueSchemaID   *int            `json:"valueSchemaId"`
	KeyReferences   []Reference     `json:"keySchemaReferences"`
	ValueReferences []Reference     `json:"valueSchemaReferences"`
	Partitions      int             `json:"partitions"`
	Replicas        int             `json:"replicas"`
}

// Reference is a schema that another one imports.
type Reference struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema"`
}

// RecordSpec is an input or an expected output.
type RecordSpec struct {
	Topic     string          `json:"topic"`
	Key       json.RawMessage `json:"key"`
	Value     json.RawMessage `json:"value"`
	Timestamp *int64          `json:"timestamp"`
	Window    *WindowSpec     `json:"window"`
	Headers   []HeaderSpec    `json:"headers"`
}

// WindowSpec is the window of a key.
type WindowSpec struct {
	Start int64  `json:"start"`
	End   int64  `json:"end"`
	Type  string `json:"type"`
}

// HeaderSpec is a record header; Value is base64.
type HeaderSpec struct {
	Key   string  `json:"KEY"`
	Value *string `json:"VALUE"`
}

// ExpectedException is the error that the last statement, or the inputs, give.
type ExpectedException struct {
	Type         string `json:"type"`
	Message      string `json:"message"`
	CauseMessage string `json:"causeMessage"`
}

// Post is what holds afterwards.
type Post struct {
	Sources []SourceSpec `json:"sources"`
	Topics  *TopicsSpec  `json:"topics"`
}

// SourceSpec is a stream or table.
type SourceSpec struct {
	Name          string          `json:"name"`
	Type          string          `json:"type"`
	Schema        string          `json:"schema"`
	KeyFormat     *KeyFormatSpec  `json:"keyFormat"`
	ValueFormat   json.RawMessage `json:"valueFormat"`
	KeyFeatures   *[]string       `json:"keyFeatures"`
	ValueFeatures *[]string       `json:"valueFeatures"`
	IsSource      *bool           `json:"isSource"`
}

// KeyFormatSpec is a key format with its window.
type KeyFormatSpec struct {
	Format     string `json:"format"`
	WindowType string `json:"windowType"`
	WindowSize *int64 `json:"windowSize"`
}

// TopicsSpec are the topics that exist afterwards.
type TopicsSpec struct {
	Blacklist string          `json:"blacklist"`
	Topics    []PostTopicSpec `json:"topics"`
}

// PostTopicSpec is one of them.
type PostTopicSpec struct {
	Name       string          `json:"name"`
	KeyFormat  KeyFormatSpec   `json:"keyFormat"`
	Value      json.RawMessage `json:"valueFormat"`
	Partitions int             `json:"partitions"`
}

// Load reads all cases of a folder in the order of files and entries.
func Load(folder string) ([]Case, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var cases []Case
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var file struct {
			Tests []json.RawMessage `json:"tests"`
		}
		if err := json.Unmarshal(data, &file); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		for i, raw := range file.Tests {
			c := Case{File: filepath.Base(path), Index: i, raw: raw}
			if err := json.Unmarshal(raw, &c.Test); err != nil {
				return nil, fmt.Errorf("reading entry %d of %s: %w", i, path, err)
			}
			cases = append(cases, c)
		}
	}
	return cases, nil
}

// Variant is a case in one of its formats.
type Variant struct {
	Name string
	Test Test
}

// Variants are the forms that a case is run in.
func (c Case) Variants() ([]Variant, error) {
	formats, configs := c.Test.Format, c.Test.Config
	if len(formats) == 0 {
		formats = []string{""}
	}
	if len(configs) == 0 {
		configs = []string{""}
	}
	var out []Variant
	for _, f := range formats {
		for _, config := range configs {
			text := strings.ReplaceAll(string(c.raw), "{FORMAT}", f)
			text = strings.ReplaceAll(text, "{CONFIG}", config)
			v := Variant{Name: strings.Trim(f+" "+config, " ")}
			if err := json.Unmarshal([]byte(text), &v.Test); err != nil {
				return nil, fmt.Errorf("reading %s in format %s: %w", c.Key(), f, err)
			}
			out = append(out, v)
		}
	}
	return out, nil
}

var beyondLanguage = regexp.MustCompile(`(?is)\bGROUP\s+BY\b|\bJOIN\b|\bWINDOW\b|\bPARTITION\s+BY\b`)

// IsLanguage reports whether the statements have none of GROUP BY, JOIN, WINDOW
// and PARTITION BY.
func (c Case) IsLanguage() bool {
	return !slices.ContainsFunc(c.Test.Statements, beyondLanguage.MatchString)
}
