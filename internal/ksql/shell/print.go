package shell

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/ksql"
)

// printer shows what a server answered.
type printer interface {
	header(columns []ksql.Column) error
	row(columns []ksql.Column, values []any) error
	entity(entity ksql.Entity) error
}

// jsonPrinter prints an object a line.
type jsonPrinter struct{ out io.Writer }

func (p jsonPrinter) header([]ksql.Column) error { return nil }

func (p jsonPrinter) row(columns []ksql.Column, values []any) error {
	var line bytes.Buffer
	line.WriteByte('{')
	for i, column := range columns {
		if i > 0 {
			line.WriteByte(',')
		}
		name, err := encode(column.Name)
		if err != nil {
			return err
		}
		value, err := encode(values[i])
		if err != nil {
			return err
		}
		fmt.Fprintf(&line, "%s:%s", name, value)
	}
	line.WriteString("}\n")
	_, err := p.out.Write(line.Bytes())
	return err
}

func (p jsonPrinter) entity(entity ksql.Entity) error {
	var line bytes.Buffer
	if err := json.Compact(&line, entity.Raw); err != nil {
		return err
	}
	line.WriteByte('\n')
	_, err := p.out.Write(line.Bytes())
	return err
}

// tablePrinter prints columns for people.
type tablePrinter struct{ out io.Writer }

// widths is how many characters a value of a type usually takes; rows arrive
// one by one, so that it cannot be known.
var widths = map[string]int{
	"BOOLEAN": 5, "INTEGER": 8, "BIGINT": 13, "DOUBLE": 10, "STRING": 16, "TIMESTAMP": 23, "DATE": 10, "TIME": 8,
}

func widthOf(column ksql.Column) int {
	width, ok := widths[column.Type]
	if !ok {
		width = 16
	}
	return max(width, utf8.RuneCountInString(column.Name))
}

func (p tablePrinter) header(columns []ksql.Column) error {
	names := make([]string, len(columns))
	rules := make([]string, len(columns))
	for i, column := range columns {
		names[i] = pad(column.Name, widthOf(column))
		rules[i] = strings.Repeat("-", widthOf(column))
	}
	return p.line(" "+strings.Join(names, " | "), "-"+strings.Join(rules, "-+-")+"-")
}

func (p tablePrinter) row(columns []ksql.Column, values []any) error {
	cells := make([]string, len(values))
	for i, value := range values {
		text, err := textOf(value)
		if err != nil {
			return err
		}
		cells[i] = pad(text, widthOf(columns[i]))
	}
	return p.line(" " + strings.Join(cells, " | "))
}

func (p tablePrinter) line(lines ...string) error {
	for _, line := range lines {
		if _, err := fmt.Fprintln(p.out, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

func textOf(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "null", nil
	case string:
		return strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(v), nil
	}
	encoded, err := encode(value)
	return string(encoded), err
}

func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// listKinds are the entities that are lists: the member that has the list and
// the members of its elements to show.
var listKinds = map[string]struct {
	member string
	fields []string
}{
	"streams":                {"streams", []string{"name", "topic", "keyFormat", "valueFormat", "isWindowed"}},
	"tables":                 {"tables", []string{"name", "topic", "keyFormat", "valueFormat", "isWindowed"}},
	"queries":                {"queries", []string{"id", "queryType", "state", "sinks", "queryString"}},
	"kafka_topics":           {"topics", []string{"name", "replicaInfo"}},
	"kafka_topics_extended":  {"topics", []string{"name", "replicaInfo", "consumerCount", "consumerGroupCount"}},
	"properties":             {"properties", []string{"name", "scope", "level", "value"}},
	"function_names":         {"functions", []string{"name", "type", "category"}},
	"variables":              {"variables", []string{"name", "value"}},
	"connector_list":         {"connectors", []string{"name", "type", "className", "state"}},
	"connector_plugins_list": {"connectorsPlugins", []string{"className", "type", "version"}},
}

func (p tablePrinter) entity(entity ksql.Entity) error {
	if err := p.body(entity); err != nil {
		return err
	}
	for _, warning := range entity.Warnings {
		if err := p.line("warning: " + warning); err != nil {
			return err
		}
	}
	return nil
}

func (p tablePrinter) body(entity ksql.Entity) error {
	if kind, ok := listKinds[entity.Type]; ok {
		var members map[string]json.RawMessage
		if err := entity.Decode(&members); err != nil {
			return err
		}
		return p.list(members[kind.member], kind.fields)
	}
	switch entity.Type {
	case "currentStatus":
		return p.line(entity.CommandStatus.Message)
	case "warning_entity":
		return nil // its message is among the warnings
	case "sourceDescription":
		var answer struct {
			Source ksql.SourceDescription `json:"sourceDescription"`
		}
		if err := entity.Decode(&answer); err != nil {
			return err
		}
		return p.source(answer.Source)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, entity.Raw, "", "  "); err != nil {
		return err
	}
	return p.line(indented.String())
}

// list prints objects, all of which are known, in columns of the right width.
func (p tablePrinter) list(raw json.RawMessage, fields []string) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var elements []map[string]any
	if err := decoder.Decode(&elements); err != nil {
		return fmt.Errorf("reading a list: %w", err)
	}
	table := [][]string{fields}
	for _, element := range elements {
		cells := make([]string, len(fields))
		for i, field := range fields {
			text, err := textOf(element[field])
			if err != nil {
				return err
			}
			cells[i] = strings.ReplaceAll(text, `\n`, " ")
		}
		table = append(table, cells)
	}
	slices.SortStableFunc(table[1:], func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return p.table(table)
}

func (p tablePrinter) table(table [][]string) error {
	width := make([]int, len(table[0]))
	for _, cells := range table {
		for i, cell := range cells {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for n, cells := range table {
		padded := make([]string, len(cells))
		for i, cell := range cells {
			padded[i] = pad(cell, width[i])
		}
		if err := p.line(" " + strings.Join(padded, " | ")); err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		rules := make([]string, len(width))
		for i, w := range width {
			rules[i] = strings.Repeat("-", w)
		}
		if err := p.line("-" + strings.Join(rules, "-+-") + "-"); err != nil {
			return err
		}
	}
	return nil
}

func (p tablePrinter) source(source ksql.SourceDescription) error {
	err := p.line(
		fmt.Sprintf("%s %s, topic %s, key format %s, value format %s",
			source.Type, source.Name, source.Topic, source.KeyFormat, source.ValueFormat))
	if err != nil {
		return err
	}
	table := [][]string{{"column", "type", ""}}
	for _, field := range source.Fields {
		mark := strings.ToLower(field.Type)
		if mark == "key" && source.Type == "TABLE" {
			mark = "primary key"
		}
		table = append(table, []string{field.Name, field.Schema.String(), mark})
	}
	return p.table(table)
}
