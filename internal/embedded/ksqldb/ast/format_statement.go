package ast

import "fmt"

// statement formats a statement without its semicolon.
func (f *formatter) statement(s Statement) {
	switch s := s.(type) {
	case *Query:
		f.query(s, false)
	case *CreateSource:
		f.create(s.OrReplace, s.ReadOnly, s.Kind, s.IfNotExists, s.Name)
		f.tableElements(s.Elements)
		f.with(s.With)
	case *CreateAsSelect:
		f.create(s.OrReplace, false, s.Kind, s.IfNotExists, s.Name)
		f.with(s.With)
		f.add(" AS ")
		f.query(s.Query, true)
	case *InsertInto:
		f.add("INSERT INTO ", QuoteName(s.Target.Name))
		f.with(s.With)
		f.add(" ")
		f.query(s.Query, true)
	case *InsertValues:
		f.values("INSERT INTO ", s.Target, s.Columns, " VALUES (", s.Values)
	case *DropSource:
		f.drop(s.Kind.String(), s.IfExists, s.Name)
		f.flag(s.DeleteTopic, " DELETE TOPIC")
	case *AlterSource:
		f.add("ALTER ", s.Kind.String(), " ", QuoteName(s.Name.Name), "\n")
		for i, c := range s.Columns {
			if i > 0 {
				f.add(",\n")
			}
			f.node(c)
		}
	case *CreateType:
		f.add("CREATE TYPE ")
		f.flag(s.IfNotExists, "IF NOT EXISTS ")
		f.add(QuoteName(s.Name.Name), " AS ")
		f.dataType(s.Type)
	case *DropType:
		f.drop("TYPE", s.IfExists, s.Name)
	case *TerminateQuery:
		f.control("TERMINATE ", s.QueryID)
	case *PauseQuery:
		f.control("PAUSE ", s.QueryID)
	case *ResumeQuery:
		f.control("RESUME ", s.QueryID)
	case *SetProperty:
		f.add("SET ", QuoteText(s.Name), "=", QuoteText(s.Value))
	case *UnsetProperty:
		f.add("UNSET ", QuoteText(s.Name))
	case *AlterSystemProperty:
		f.add("ALTER SYSTEM ", QuoteText(s.Name), "=", QuoteText(s.Value))
	case *DefineVariable:
		f.add("DEFINE ", s.Name, "=", QuoteText(s.Value))
	case *UndefineVariable:
		f.add("UNDEFINE ", s.Name)
	case *Explain:
		f.add("EXPLAIN ")
		if s.Statement != nil {
			f.add("\n")
			f.statement(s.Statement)
		} else {
			f.add(QuoteName(s.QueryID.Name))
		}
	case *PrintTopic:
		f.print(s)
	case *CreateConnector:
		f.createConnector(s)
	case *DropConnector:
		f.drop("CONNECTOR", s.IfExists, s.Name)
	case *RunScript:
		f.add("RUN SCRIPT ", QuoteText(s.File))
	default:
		f.info(s)
	}
}

// info formats the statements that show something, and those that check it.
func (f *formatter) info(s Statement) {
	switch s := s.(type) {
	case *ShowStreams:
		f.add("SHOW STREAMS")
		f.flag(s.Extended, " EXTENDED")
	case *ShowTables:
		f.add("SHOW TABLES")
		f.flag(s.Extended, " EXTENDED")
	case *ShowTopics:
		f.add("SHOW ")
		f.flag(s.All, "ALL ")
		f.add("TOPICS")
		f.flag(s.Extended, " EXTENDED")
	case *ShowQueries:
		f.add("SHOW QUERIES")
		f.flag(s.Extended, " EXTENDED")
	case *ShowProperties:
		f.add("SHOW PROPERTIES")
	case *ShowFunctions:
		f.add("SHOW FUNCTIONS")
	case *ShowTypes:
		f.add("SHOW TYPES")
	case *ShowVariables:
		f.add("SHOW VARIABLES")
	case *ShowConnectors:
		f.add("SHOW ", connectorWords[s.Kind], "CONNECTORS")
	case *ShowConnectorPlugins:
		f.add("SHOW CONNECTOR PLUGINS")
	case *DescribeSource:
		f.add("DESCRIBE ", quoteDescribed(s.Name.Name))
		f.flag(s.Extended, " EXTENDED")
	case *DescribeStreams:
		f.add("DESCRIBE STREAMS")
		f.flag(s.Extended, " EXTENDED")
	case *DescribeTables:
		f.add("DESCRIBE TABLES")
		f.flag(s.Extended, " EXTENDED")
	case *DescribeFunction:
		f.add("DESCRIBE FUNCTION ", QuoteName(s.Name.Name))
	case *DescribeConnector:
		f.add("DESCRIBE CONNECTOR ", QuoteName(s.Name.Name))
	default:
		f.assert(s)
	}
}

func (f *formatter) assert(s Statement) {
	switch s := s.(type) {
	case *AssertTopic:
		f.add("ASSERT ")
		f.flag(s.NotExists, "NOT EXISTS ")
		f.add("TOPIC ", quoteResource(s.Topic))
		f.with(s.With)
		f.timeout(s.Timeout)
	case *AssertSchema:
		f.add("ASSERT ")
		f.flag(s.NotExists, "NOT EXISTS ")
		f.add("SCHEMA")
		if s.Subject != "" {
			f.add(" SUBJECT ", quoteResource(s.Subject))
		}
		if s.ID != nil {
			f.add(fmt.Sprintf(" ID %d", *s.ID))
		}
		f.timeout(s.Timeout)
	case *AssertValues:
		f.values("ASSERT VALUES ", s.Target, s.Columns, " VALUES (", s.Values)
	case *AssertTombstone:
		f.values("ASSERT NULL VALUES ", s.Target, s.Columns, " KEY (", s.Values)
	case *AssertSource:
		f.add("ASSERT ", s.Kind.String(), " ", QuoteName(s.Name.Name))
		f.tableElements(s.Elements)
		f.with(s.With)
	}
}

func (f *formatter) flag(set bool, text string) {
	if set {
		f.add(text)
	}
}

func (f *formatter) timeout(d *Duration) {
	if d != nil {
		f.add(" TIMEOUT ", formatDuration(*d))
	}
}

func (f *formatter) create(replace, readOnly bool, kind SourceKind, ifNotExists bool, name *Ident) {
	f.add("CREATE ")
	f.flag(replace, "OR REPLACE ")
	f.flag(readOnly, "SOURCE ")
	f.add(kind.String(), " ")
	f.flag(ifNotExists, "IF NOT EXISTS ")
	f.add(QuoteName(name.Name))
}

func (f *formatter) drop(what string, ifExists bool, name *Ident) {
	f.add("DROP ", what, " ")
	f.flag(ifExists, "IF EXISTS ")
	f.add(QuoteName(name.Name))
}

func (f *formatter) control(word string, id *Ident) {
	f.add(word)
	if id == nil {
		f.add("ALL")
	} else {
		f.add(QuoteName(id.Name))
	}
}

func (f *formatter) values(start string, target *Ident, columns []*Ident, word string, values []Expr) {
	f.add(start, QuoteName(target.Name))
	if len(columns) > 0 {
		f.add(" (")
		for i, c := range columns {
			f.comma(i)
			f.add(QuoteName(c.Name))
		}
		f.add(")")
	}
	f.add(word)
	f.exprs(values)
	f.add(")")
}

func (f *formatter) print(s *PrintTopic) {
	f.add("PRINT ", quoteResource(s.Topic))
	f.flag(s.FromBeginning, " FROM BEGINNING")
	if s.Interval != nil {
		f.add(fmt.Sprintf(" INTERVAL %d", *s.Interval))
	}
	if s.Limit != nil {
		f.add(fmt.Sprintf(" LIMIT %d", *s.Limit))
	}
}

var connectorWords = [...]string{AnyConnector: "", SourceConnector: "SOURCE ", SinkConnector: "SINK "}

func (f *formatter) createConnector(s *CreateConnector) {
	f.add("CREATE ", connectorWords[s.Kind], "CONNECTOR ")
	f.flag(s.IfNotExists, "IF NOT EXISTS ")
	f.add(QuoteName(s.Name.Name))
	f.with(s.With)
}

// quoteResource returns the name of a topic or subject, which keeps its case
// without quotes too.
func quoteResource(name string) string {
	if isPlain(name) {
		return name
	}
	return BackQuote(name)
}

// quoteDescribed quotes TABLES and FUNCTION as well, which after DESCRIBE are
// words of the grammar.
func quoteDescribed(name string) string {
	if name == "TABLES" || name == "FUNCTION" {
		return BackQuote(name)
	}
	return QuoteName(name)
}
