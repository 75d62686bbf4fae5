package ast

// Statement is one statement.
type Statement interface {
	Node
	// Text returns the statement's own source text, from its first to its last
	// character. For a statement of its own that includes the closing semicolon;
	// for one inside another (EXPLAIN, CREATE ... AS) there is none.
	Text() string
	// SetSource gives the statement its place and text.
	SetSource(Source)
	statement()
}

// Source is where a statement came from. Every statement embeds one.
type Source struct {
	Span
	// SQL is the text that Text returns; empty for a statement made by hand.
	SQL string
}

// Text returns the statement's own source text.
func (s Source) Text() string { return s.SQL }

// SetSource replaces the place and the text.
func (s *Source) SetSource(src Source) { *s = src }

// SourceKind tells streams from tables.
type SourceKind int

// The kinds of source.
const (
	Stream SourceKind = iota
	Table
)

// String returns STREAM or TABLE.
func (k SourceKind) String() string {
	if k == Stream {
		return "STREAM"
	}
	return "TABLE"
}

// Property is one name = value of a WITH clause.
type Property struct {
	Span
	// Name is resolved: upper case unless it was quoted in any way, single quotes
	// included.
	Name  string
	Value Literal
}

// ColumnRole tells what a column of a source is.
type ColumnRole int

// The roles of a column.
const (
	// ValueColumn has no marker.
	ValueColumn ColumnRole = iota
	// KeyColumn is marked KEY.
	KeyColumn
	// PrimaryKeyColumn is marked PRIMARY KEY.
	PrimaryKeyColumn
	// HeadersColumn is marked HEADERS: all headers of the record.
	HeadersColumn
	// HeaderColumn is marked HEADER('key'): one header of the record.
	HeaderColumn
)

// TableElement is one column in the definition of a stream or table.
type TableElement struct {
	Span
	Name *Ident
	Type *DataType
	Role ColumnRole
	// HeaderKey is the key of a HeaderColumn, without surrounding white space.
	HeaderKey string
}

// CreateSource is CREATE [OR REPLACE] [SOURCE] STREAM|TABLE [IF NOT EXISTS] name
// [(elements)] [WITH (properties)].
type CreateSource struct {
	Source
	Kind        SourceKind
	OrReplace   bool
	IfNotExists bool
	// ReadOnly tells that SOURCE was written.
	ReadOnly bool
	Name     *Ident
	// Elements is empty when the columns are left to schema inference.
	Elements []*TableElement
	With     []*Property
}

// CreateAsSelect is CREATE [OR REPLACE] STREAM|TABLE [IF NOT EXISTS] name
// [WITH (properties)] AS query.
type CreateAsSelect struct {
	Source
	Kind        SourceKind
	OrReplace   bool
	IfNotExists bool
	Name        *Ident
	With        []*Property
	Query       *Query
}

// InsertInto is INSERT INTO target [WITH (properties)] query.
type InsertInto struct {
	Source
	Target *Ident
	With   []*Property
	Query  *Query
}

// InsertValues is INSERT INTO target [(columns)] VALUES (values).
type InsertValues struct {
	Source
	Target *Ident
	// Columns is empty when they were left out.
	Columns []*Ident
	Values  []Expr
}

// DropSource is DROP STREAM|TABLE [IF EXISTS] name [DELETE TOPIC].
type DropSource struct {
	Source
	Kind        SourceKind
	IfExists    bool
	Name        *Ident
	DeleteTopic bool
}

// AlterSource is ALTER STREAM|TABLE name ADD [COLUMN] column type, ...
type AlterSource struct {
	Source
	Kind SourceKind
	Name *Ident
	// Columns are the columns to add, in order; at least one.
	Columns []*AlterOption
}

// AlterOption is one ADD [COLUMN] name type of an AlterSource.
type AlterOption struct {
	Span
	Name *Ident
	Type *DataType
}

// CreateType is CREATE TYPE [IF NOT EXISTS] name AS type.
type CreateType struct {
	Source
	IfNotExists bool
	Name        *Ident
	Type        *DataType
}

// DropType is DROP TYPE [IF EXISTS] name.
type DropType struct {
	Source
	IfExists bool
	Name     *Ident
}

// TerminateQuery is TERMINATE id or TERMINATE ALL.
type TerminateQuery struct {
	Source
	// QueryID is nil for ALL.
	QueryID *Ident
}

// PauseQuery is PAUSE id or PAUSE ALL.
type PauseQuery struct {
	Source
	// QueryID is nil for ALL.
	QueryID *Ident
}

// ResumeQuery is RESUME id or RESUME ALL.
type ResumeQuery struct {
	Source
	// QueryID is nil for ALL.
	QueryID *Ident
}

// SetProperty is SET 'name' = 'value'.
type SetProperty struct {
	Source
	Name, Value string
}

// UnsetProperty is UNSET 'name'.
type UnsetProperty struct {
	Source
	Name string
}

// AlterSystemProperty is ALTER SYSTEM 'name' = 'value'.
type AlterSystemProperty struct {
	Source
	Name, Value string
}

// DefineVariable is DEFINE name = 'value'.
type DefineVariable struct {
	Source
	// Name keeps the case in which it was written.
	Name, Value string
}

// UndefineVariable is UNDEFINE name.
type UndefineVariable struct {
	Source
	// Name keeps the case in which it was written.
	Name string
}

// ShowStreams is SHOW STREAMS [EXTENDED].
type ShowStreams struct {
	Source
	Extended bool
}

// ShowTables is SHOW TABLES [EXTENDED].
type ShowTables struct {
	Source
	Extended bool
}

// ShowTopics is SHOW [ALL] TOPICS [EXTENDED].
type ShowTopics struct {
	Source
	// All includes internal topics.
	All      bool
	Extended bool
}

// ShowQueries is SHOW QUERIES [EXTENDED].
type ShowQueries struct {
	Source
	Extended bool
}

// ShowProperties is SHOW PROPERTIES.
type ShowProperties struct {
	Source
}

// ShowFunctions is SHOW FUNCTIONS.
type ShowFunctions struct {
	Source
}

// ShowTypes is SHOW TYPES.
type ShowTypes struct {
	Source
}

// ShowVariables is SHOW VARIABLES.
type ShowVariables struct {
	Source
}

// ConnectorKind tells source connectors from sink connectors.
type ConnectorKind int

// The kinds of connector.
const (
	// AnyConnector occurs only in ShowConnectors.
	AnyConnector ConnectorKind = iota
	SourceConnector
	SinkConnector
)

// ShowConnectors is SHOW [SOURCE|SINK] CONNECTORS.
type ShowConnectors struct {
	Source
	Kind ConnectorKind
}

// ShowConnectorPlugins is SHOW CONNECTOR PLUGINS.
type ShowConnectorPlugins struct {
	Source
}

// DescribeSource is DESCRIBE name [EXTENDED].
type DescribeSource struct {
	Source
	Name     *Ident
	Extended bool
}

// DescribeStreams is DESCRIBE STREAMS [EXTENDED].
type DescribeStreams struct {
	Source
	Extended bool
}

// DescribeTables is DESCRIBE TABLES [EXTENDED].
type DescribeTables struct {
	Source
	Extended bool
}

// DescribeFunction is DESCRIBE FUNCTION name.
type DescribeFunction struct {
	Source
	Name *Ident
}

// DescribeConnector is DESCRIBE CONNECTOR name.
type DescribeConnector struct {
	Source
	Name *Ident
}

// Explain is EXPLAIN statement or EXPLAIN queryId.
type Explain struct {
	Source
	// Statement is nil when a query id was given.
	Statement Statement
	// QueryID is nil when a statement was given.
	QueryID *Ident
}

// PrintTopic is PRINT topic [FROM BEGINNING] [INTERVAL|SAMPLE n] [LIMIT n].
type PrintTopic struct {
	Source
	// Topic keeps the case in which it was written.
	Topic         string
	FromBeginning bool
	// Interval is nil when none was given: every how many records one is shown.
	Interval *int32
	// Limit is nil when none was given.
	Limit *int32
}

// CreateConnector is CREATE SOURCE|SINK CONNECTOR [IF NOT EXISTS] name
// WITH (properties).
type CreateConnector struct {
	Source
	Kind        ConnectorKind
	IfNotExists bool
	Name        *Ident
	With        []*Property
}

// DropConnector is DROP CONNECTOR [IF EXISTS] name.
type DropConnector struct {
	Source
	IfExists bool
	Name     *Ident
}

// AssertTopic is ASSERT [NOT EXISTS] TOPIC name [WITH (properties)]
// [TIMEOUT duration].
type AssertTopic struct {
	Source
	NotExists bool
	// Topic keeps the case in which it was written.
	Topic string
	With  []*Property
	// Timeout is nil when none was given.
	Timeout *Duration
}

// AssertSchema is ASSERT [NOT EXISTS] SCHEMA [SUBJECT name] [ID n]
// [TIMEOUT duration]. At least one of subject and id is given.
type AssertSchema struct {
	Source
	NotExists bool
	// Subject is empty when none was given; it keeps its case.
	Subject string
	// ID is nil when none was given.
	ID *int32
	// Timeout is nil when none was given.
	Timeout *Duration
}

// AssertValues is ASSERT VALUES source [(columns)] VALUES (values), a statement
// of ksqlDB's SQL tests.
type AssertValues struct {
	Source
	Target  *Ident
	Columns []*Ident
	Values  []Expr
}

// AssertTombstone is ASSERT NULL VALUES source [(key columns)] KEY (values), a
// statement of ksqlDB's SQL tests.
type AssertTombstone struct {
	Source
	Target  *Ident
	Columns []*Ident
	Values  []Expr
}

// AssertSource is ASSERT STREAM|TABLE name [(elements)] [WITH (properties)], a
// statement of ksqlDB's SQL tests.
type AssertSource struct {
	Source
	Kind     SourceKind
	Name     *Ident
	Elements []*TableElement
	With     []*Property
}

// RunScript is RUN SCRIPT 'file', a statement of ksqlDB's SQL tests.
type RunScript struct {
	Source
	File string
}

func (*CreateSource) statement()         {}
func (*CreateAsSelect) statement()       {}
func (*InsertInto) statement()           {}
func (*InsertValues) statement()         {}
func (*DropSource) statement()           {}
func (*AlterSource) statement()          {}
func (*CreateType) statement()           {}
func (*DropType) statement()             {}
func (*TerminateQuery) statement()       {}
func (*PauseQuery) statement()           {}
func (*ResumeQuery) statement()          {}
func (*SetProperty) statement()          {}
func (*UnsetProperty) statement()        {}
func (*AlterSystemProperty) statement()  {}
func (*DefineVariable) statement()       {}
func (*UndefineVariable) statement()     {}
func (*ShowStreams) statement()          {}
func (*ShowTables) statement()           {}
func (*ShowTopics) statement()           {}
func (*ShowQueries) statement()          {}
func (*ShowProperties) statement()       {}
func (*ShowFunctions) statement()        {}
func (*ShowTypes) statement()            {}
func (*ShowVariables) statement()        {}
func (*ShowConnectors) statement()       {}
func (*ShowConnectorPlugins) statement() {}
func (*DescribeSource) statement()       {}
func (*DescribeStreams) statement()      {}
func (*DescribeTables) statement()       {}
func (*DescribeFunction) statement()     {}
func (*DescribeConnector) statement()    {}
func (*Explain) statement()              {}
func (*PrintTopic) statement()           {}
func (*CreateConnector) statement()      {}
func (*DropConnector) statement()        {}
func (*AssertTopic) statement()          {}
func (*AssertSchema) statement()         {}
func (*AssertValues) statement()         {}
func (*AssertTombstone) statement()      {}
func (*AssertSource) statement()         {}
func (*RunScript) statement()            {}
