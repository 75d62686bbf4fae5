package shell

import (
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

// source is what DESCRIBE answers of a stream or table.
type source struct {
	ksql.SourceDescription
	Extended        bool   `json:"extended"`
	Partitions      int    `json:"partitions"`
	Replication     int    `json:"replication"`
	Statistics      string `json:"statistics"`
	ErrorStats      string `json:"errorStats"`
	OffsetSummaries []struct {
		GroupID string `json:"groupId"`
		Topics  []struct {
			Topic   string `json:"kafkaTopic"`
			Offsets []struct {
				Partition int   `json:"partition"`
				Start     int64 `json:"logStartOffset"`
				End       int64 `json:"logEndOffset"`
				Consumer  int64 `json:"consumerOffset"`
			} `json:"offsets"`
		} `json:"topicSummaries"`
	} `json:"queryOffsetSummaries"`
	Constraints []string `json:"sourceConstraints"`
}

func (p *tablePrinter) source(entity ksql.Entity) error {
	var answer struct {
		Source source `json:"sourceDescription"`
	}
	if err := entity.Decode(&answer); err != nil {
		return err
	}
	return p.describe(answer.Source)
}

func (p *tablePrinter) sources(entity ksql.Entity) error {
	var answer struct {
		Sources []source `json:"sourceDescriptions"`
	}
	if err := entity.Decode(&answer); err != nil {
		return err
	}
	for i, s := range answer.Sources {
		if i > 0 {
			if err := p.line(""); err != nil {
				return err
			}
		}
		if err := p.describe(s); err != nil {
			return err
		}
	}
	return nil
}

// fact is a name and what it says; one without a value is left out.
type fact struct{ name, value string }

func (p *tablePrinter) facts(facts ...fact) error {
	for _, f := range facts {
		if f.value == "" {
			continue
		}
		if err := p.line(pad(f.name, 20) + " : " + f.value); err != nil {
			return err
		}
	}
	return nil
}

func (p *tablePrinter) describe(s source) error {
	if err := p.facts(fact{"Name", s.Name}); err != nil {
		return err
	}
	if s.Extended {
		timestamp := s.Timestamp
		if timestamp == "" {
			timestamp = "Not set - using <ROWTIME>"
		}
		err := p.facts(fact{"Type", s.Type}, fact{"Timestamp field", timestamp},
			fact{"Key format", s.KeyFormat}, fact{"Value format", s.ValueFormat},
			fact{"Kafka topic", fmt.Sprintf("%s (partitions: %d, replication: %d)", s.Topic, s.Partitions, s.Replication)},
			fact{"Window", s.WindowType}, fact{"Depends on", strings.Join(s.Constraints, ", ")},
			fact{"Statement", strings.ReplaceAll(s.Statement, "\n", "\n"+strings.Repeat(" ", 23))})
		if err != nil {
			return err
		}
	}
	if err := p.line(""); err != nil {
		return err
	}
	if err := p.fields(s.Fields, s.Type == "TABLE"); err != nil {
		return err
	}
	if !s.Extended {
		return p.line("", "For runtime statistics and query details run: DESCRIBE "+identifier(s.Name)+" EXTENDED;")
	}
	if err := p.queriesOf("Queries that read from this "+s.Type, s.ReadQueries); err != nil {
		return err
	}
	if err := p.queriesOf("Queries that write from this "+s.Type, s.WriteQueries); err != nil {
		return err
	}
	if text := strings.TrimSpace(s.Statistics + "\n" + s.ErrorStats); text != "" {
		if err := p.line("", "Local runtime statistics", "------------------------", text); err != nil {
			return err
		}
	}
	return p.offsets(s)
}

func (p *tablePrinter) fields(fields []ksql.Field, table bool) error {
	rows := [][]string{{"Field", "Type"}}
	for _, field := range fields {
		mark := ""
		switch {
		case field.Type == "KEY" && table:
			mark = " (primary key)"
		case field.Type != "":
			mark = " (" + strings.ToLower(field.Type) + ")"
		}
		rows = append(rows, []string{field.Name, typeText(field.Schema) + mark})
	}
	return p.table(rows)
}

// typeText is a type as ksqlDB's own shell shows it.
func typeText(schema ksql.Schema) string {
	switch {
	case schema.Type == "STRING":
		return "VARCHAR(STRING)"
	case schema.Type == "ARRAY" && schema.MemberSchema != nil:
		return "ARRAY<" + typeText(*schema.MemberSchema) + ">"
	case schema.Type == "MAP" && schema.MemberSchema != nil:
		return "MAP<STRING, " + typeText(*schema.MemberSchema) + ">"
	case schema.Type == "STRUCT":
		fields := make([]string, len(schema.Fields))
		for i, field := range schema.Fields {
			fields[i] = field.Name + " " + typeText(field.Schema)
		}
		return "STRUCT<" + strings.Join(fields, ", ") + ">"
	}
	return schema.String()
}

func (p *tablePrinter) queriesOf(title string, queries []ksql.RunningQuery) error {
	if len(queries) == 0 {
		return nil
	}
	if err := p.line("", title, strings.Repeat("-", len(title))); err != nil {
		return err
	}
	for _, q := range queries {
		if err := p.line(fmt.Sprintf("%s (%s) : %s", q.ID, q.State, strings.Join(strings.Fields(q.QueryString), " "))); err != nil {
			return err
		}
	}
	return p.line("", "For query topology and execution plan run: EXPLAIN <QueryId>;")
}

func (p *tablePrinter) offsets(s source) error {
	for _, group := range s.OffsetSummaries {
		if err := p.line("", "Consumer group "+group.GroupID); err != nil {
			return err
		}
		table := [][]string{{"Kafka topic", "Partition", "Start offset", "End offset", "Offset", "Lag"}}
		for _, topic := range group.Topics {
			for _, o := range topic.Offsets {
				table = append(table, []string{topic.Topic, fmt.Sprint(o.Partition), fmt.Sprint(o.Start), fmt.Sprint(o.End), fmt.Sprint(o.Consumer), fmt.Sprint(o.End - o.Consumer)})
			}
		}
		if err := p.table(table); err != nil {
			return err
		}
	}
	return nil
}

// query is what EXPLAIN answers.
type query struct {
	ID            string         `json:"id"`
	Type          string         `json:"queryType"`
	Statement     string         `json:"statementText"`
	State         string         `json:"state"`
	Fields        []ksql.Field   `json:"fields"`
	Sources       []string       `json:"sources"`
	Sinks         []string       `json:"sinks"`
	Topology      string         `json:"topology"`
	ExecutionPlan string         `json:"executionPlan"`
	Properties    map[string]any `json:"overriddenProperties"`
	Errors        []struct {
		Message string `json:"errorMessage"`
		Type    string `json:"type"`
	} `json:"queryErrors"`
}

func (p *tablePrinter) query(entity ksql.Entity) error {
	var answer struct {
		Query query `json:"queryDescription"`
	}
	if err := entity.Decode(&answer); err != nil {
		return err
	}
	return p.explain(answer.Query)
}

func (p *tablePrinter) queries(entity ksql.Entity) error {
	var answer struct {
		Queries []query `json:"queryDescriptions"`
	}
	if err := entity.Decode(&answer); err != nil {
		return err
	}
	for i, q := range answer.Queries {
		if i > 0 {
			if err := p.line(""); err != nil {
				return err
			}
		}
		if err := p.explain(q); err != nil {
			return err
		}
	}
	return nil
}

func (p *tablePrinter) explain(q query) error {
	if err := p.facts(fact{"ID", q.ID}, fact{"Query Type", q.Type}, fact{"State", q.State}, fact{"SQL", strings.ReplaceAll(q.Statement, "\n", "\n"+strings.Repeat(" ", 23))}); err != nil {
		return err
	}
	if err := p.line(""); err != nil {
		return err
	}
	if err := p.fields(q.Fields, false); err != nil {
		return err
	}
	for _, part := range []struct{ title, text string }{
		{"Sources that this query reads from:", strings.Join(q.Sources, "\n")},
		{"Sinks that this query writes to:", strings.Join(q.Sinks, "\n")},
		{"Execution plan", strings.TrimRight(q.ExecutionPlan, "\n")},
		{"Processing topology", strings.TrimRight(q.Topology, "\n")},
	} {
		if part.text == "" {
			continue
		}
		if err := p.line("", part.title, strings.Repeat("-", len(part.title)), part.text); err != nil {
			return err
		}
	}
	if len(q.Properties) > 0 {
		if err := p.line("", "Overridden Properties", "---------------------"); err != nil {
			return err
		}
		table := [][]string{{"Property", "Value"}}
		for _, name := range sortedKeys(q.Properties) {
			table = append(table, []string{name, cellText(q.Properties[name])})
		}
		if err := p.table(table); err != nil {
			return err
		}
	}
	for _, failed := range q.Errors {
		if err := p.line("", "Error ("+failed.Type+"): "+failed.Message); err != nil {
			return err
		}
	}
	return nil
}

func (p *tablePrinter) function(entity ksql.Entity) error {
	var answer struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Author      string `json:"author"`
		Version     string `json:"version"`
		Type        string `json:"type"`
		Path        string `json:"path"`
		Functions   []struct {
			Arguments []struct {
				Name       string `json:"name"`
				Type       string `json:"type"`
				IsVariadic bool   `json:"isVariadic"`
			} `json:"arguments"`
			ReturnType  string `json:"returnType"`
			Description string `json:"description"`
		} `json:"functions"`
	}
	if err := entity.Decode(&answer); err != nil {
		return err
	}
	if err := p.facts(fact{"Name", answer.Name}, fact{"Author", answer.Author}, fact{"Version", answer.Version},
		fact{"Overview", strings.Join(strings.Fields(answer.Description), " ")}, fact{"Type", answer.Type},
		fact{"Jar", answer.Path}); err != nil {
		return err
	}
	if err := p.line("Variations           :"); err != nil {
		return err
	}
	for _, f := range answer.Functions {
		arguments := make([]string, len(f.Arguments))
		for i, a := range f.Arguments {
			arguments[i] = strings.TrimSpace(a.Name + " " + a.Type)
			if a.IsVariadic {
				arguments[i] += "..."
			}
		}
		lines := []string{"", fmt.Sprintf("    Variation   : %s(%s)", answer.Name, strings.Join(arguments, ", ")), "    Returns     : " + f.ReturnType}
		if f.Description != "" && f.Description != answer.Description {
			lines = append(lines, "    Description : "+strings.Join(strings.Fields(f.Description), " "))
		}
		if err := p.line(lines...); err != nil {
			return err
		}
	}
	return nil
}

func (p *tablePrinter) connector(entity ksql.Entity) error {
	var answer struct {
		Class  string   `json:"connectorClass"`
		Topics []string `json:"topics"`
		Status struct {
			Name      string `json:"name"`
			Type      string `json:"type"`
			Connector struct {
				State    string `json:"state"`
				WorkerID string `json:"worker_id"`
				Trace    string `json:"trace"`
			} `json:"connector"`
			Tasks []struct {
				ID    int    `json:"id"`
				State string `json:"state"`
				Trace string `json:"trace"`
			} `json:"tasks"`
		} `json:"status"`
		Sources []ksql.SourceDescription `json:"sources"`
	}
	if err := entity.Decode(&answer); err != nil {
		return err
	}
	s := answer.Status
	if err := p.facts(fact{"Name", s.Name}, fact{"Class", answer.Class}, fact{"Type", s.Type},
		fact{"State", s.Connector.State}, fact{"WorkerId", s.Connector.WorkerID}, fact{"Trace", s.Connector.Trace},
		fact{"Topics", strings.Join(answer.Topics, ", ")}); err != nil {
		return err
	}
	table := [][]string{{"Task ID", "State", "Error Trace"}}
	for _, task := range s.Tasks {
		first, _, _ := strings.Cut(task.Trace, "\n")
		table = append(table, []string{fmt.Sprint(task.ID), task.State, first})
	}
	if err := p.line(""); err != nil {
		return err
	}
	return p.table(table)
}
