package shell

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

// list says how an entity that is a list is shown.
type list struct {
	member   string // of the entity, that has the list
	headings []string
	cells    func(element map[string]any) []string
}

// fields shows members of the elements as they are.
func fields(names ...string) func(map[string]any) []string {
	return func(element map[string]any) []string {
		cells := make([]string, len(names))
		for i, name := range names {
			cells[i] = cellText(element[name])
		}
		return cells
	}
}

var lists = map[string]list{
	"streams":                {"streams", []string{"Stream Name", "Kafka Topic", "Key Format", "Value Format", "Windowed"}, fields("name", "topic", "keyFormat", "valueFormat", "isWindowed")},
	"tables":                 {"tables", []string{"Table Name", "Kafka Topic", "Key Format", "Value Format", "Windowed"}, fields("name", "topic", "keyFormat", "valueFormat", "isWindowed")},
	"queries":                {"queries", []string{"Query ID", "Query Type", "Status", "Sink Name", "Sink Kafka Topic", "Query String"}, queryCells},
	"kafka_topics":           {"topics", []string{"Kafka Topic", "Partitions", "Partition Replicas"}, topicCells},
	"kafka_topics_extended":  {"topics", []string{"Kafka Topic", "Partitions", "Partition Replicas", "Consumers", "Consumer Groups"}, topicCells},
	"properties":             {"properties", []string{"Property", "Scope", "Default override", "Effective Value"}, fields("name", "scope", "level", "value")},
	"function_names":         {"functions", []string{"Function Name", "Category"}, fields("name", "category")},
	"variables":              {"variables", []string{"Variable Name", "Value"}, fields("name", "value")},
	"connector_list":         {"connectors", []string{"Connector Name", "Type", "Class", "Status"}, fields("name", "type", "className", "state")},
	"connector_plugins_list": {"connectorsPlugins", []string{"Class", "Type", "Version"}, fields("className", "type", "version")},
}

func cellText(value any) string {
	text, err := textOf(value)
	if err != nil || value == nil {
		return ""
	}
	return strings.ReplaceAll(text, `\n`, " ")
}

func queryCells(query map[string]any) []string {
	var states []string
	if counts, ok := query["statusCount"].(map[string]any); ok {
		for state, count := range counts {
			states = append(states, state+":"+cellText(count))
		}
		slices.Sort(states)
	}
	return []string{
		cellText(query["id"]), cellText(query["queryType"]), strings.Join(states, ","),
		joined(query["sinks"]), joined(query["sinkKafkaTopics"]), cellText(query["queryString"]),
	}
}

func topicCells(topic map[string]any) []string {
	replicas, _ := topic["replicaInfo"].([]any)
	counts := make([]string, len(replicas))
	for i, n := range replicas {
		counts[i] = cellText(n)
	}
	partitions := strconv.Itoa(len(replicas))
	if distinct := slices.Compact(slices.Clone(counts)); len(distinct) == 1 {
		counts = distinct
	}
	cells := []string{cellText(topic["name"]), partitions, strings.Join(counts, ", ")}
	if _, extended := topic["consumerCount"]; extended {
		cells = append(cells, cellText(topic["consumerCount"]), cellText(topic["consumerGroupCount"]))
	}
	return cells
}

func joined(value any) string {
	elements, _ := value.([]any)
	texts := make([]string, len(elements))
	for i, element := range elements {
		texts[i] = cellText(element)
	}
	return strings.Join(texts, ",")
}

func (p *tablePrinter) entity(entity ksql.Entity) error {
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

func (p *tablePrinter) body(entity ksql.Entity) error {
	if kind, ok := lists[entity.Type]; ok {
		return p.list(entity, kind)
	}
	if show, ok := bodies[entity.Type]; ok {
		return show(p, entity)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, entity.Raw, "", "  "); err != nil {
		return err
	}
	return p.line(indented.String())
}

// bodies show the entities that are no lists.
var bodies = map[string]func(*tablePrinter, ksql.Entity) error{
	"currentStatus":         func(p *tablePrinter, e ksql.Entity) error { return p.line(e.CommandStatus.Message) },
	"warning_entity":        func(*tablePrinter, ksql.Entity) error { return nil }, // it is among the warnings
	"type_list":             (*tablePrinter).types,
	"sourceDescription":     (*tablePrinter).source,
	"source_descriptions":   (*tablePrinter).sources,
	"queryDescription":      (*tablePrinter).query,
	"query_descriptions":    (*tablePrinter).queries,
	"describe_function":     (*tablePrinter).function,
	"connector_description": (*tablePrinter).connector,
	"connector_info":        saying("Created connector %s", "info", "name"),
	"drop_connector":        saying("Dropped connector %s", "connectorName"),
	"assert_topic":          asserted("Topic %s", "topicName"),
	"assert_schema":         asserted("Schema %s", "subject"),
}

// saying prints one member, which may be inside of others.
func saying(format string, path ...string) func(*tablePrinter, ksql.Entity) error {
	return func(p *tablePrinter, entity ksql.Entity) error {
		var value any
		if err := entity.Decode(&value); err != nil {
			return err
		}
		for _, name := range path {
			object, _ := value.(map[string]any)
			value = object[name]
		}
		return p.line(fmt.Sprintf(format, cellText(value)))
	}
}

func asserted(format, member string) func(*tablePrinter, ksql.Entity) error {
	return func(p *tablePrinter, entity ksql.Entity) error {
		var answer map[string]any
		if err := entity.Decode(&answer); err != nil {
			return err
		}
		name := cellText(answer[member])
		if name == "" {
			name = cellText(answer["id"])
		}
		text := fmt.Sprintf(format, name) + " exists"
		if answer["exists"] == false {
			text = fmt.Sprintf(format, name) + " does not exist"
		}
		return p.line(text)
	}
}

// list prints elements, sorted by the first cell; functions by category first, as
// ksqlDB's own shell does.
func (p *tablePrinter) list(entity ksql.Entity, kind list) error {
	var members map[string]json.RawMessage
	if err := entity.Decode(&members); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(members[kind.member]))
	decoder.UseNumber()
	var elements []map[string]any
	if err := decoder.Decode(&elements); err != nil {
		return fmt.Errorf("reading a list: %w", err)
	}
	table := [][]string{kind.headings}
	for _, element := range elements {
		table = append(table, kind.cells(element))
	}
	slices.SortStableFunc(table[1:], func(a, b []string) int {
		if entity.Type == "function_names" {
			if byCategory := strings.Compare(a[1], b[1]); byCategory != 0 {
				return byCategory
			}
		}
		return strings.Compare(a[0], b[0])
	})
	return p.table(table)
}

func (p *tablePrinter) types(entity ksql.Entity) error {
	var answer struct {
		Types map[string]ksql.Schema `json:"types"`
	}
	if err := entity.Decode(&answer); err != nil {
		return err
	}
	table := [][]string{{"Type Name", "Schema"}}
	for _, name := range sortedKeys(answer.Types) {
		table = append(table, []string{name, answer.Types[name].String()})
	}
	return p.table(table)
}
