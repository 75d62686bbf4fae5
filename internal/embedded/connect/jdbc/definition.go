package jdbc

import "github.com/orderflow/orderflow/internal/embedded/connect/config"

// definition has the settings of Confluent's JdbcSourceConnector 10.8.
var definition = &config.Definition{Keys: []config.Key{
	{Name: "connection.url", Type: config.String, Default: config.Default(""), Importance: config.High, Group: "Database", Order: 1, Width: config.Wide,
		Display: "JDBC URL", Dependents: []string{"table.whitelist", "table.blacklist"}, Check: config.NonNull,
		Doc: "The database: jdbc:sqlite: and the path of the file. The embedded worker reads SQLite only."},
	{Name: "connection.user", Type: config.String, Importance: config.High, Group: "Database", Order: 2, Width: config.Wide,
		Display: "JDBC User", Unsupported: true,
		Doc: "The user of the database; SQLite has none."},
	{Name: "connection.password", Type: config.Password, Importance: config.High, Group: "Database", Order: 3, Width: config.Narrow,
		Display: "JDBC Password", Unsupported: true,
		Doc: "The password of the user; SQLite has none."},
	{Name: "jdbc.credentials.provider.class", Type: config.Class, Default: config.Default("io.confluent.connect.jdbc.util.DefaultJdbcCredentialsProvider"), Importance: config.Low, Group: "Database", Order: 4, Width: config.Wide,
		Display: "JDBC Credentials Provider Class", Unsupported: true,
		Doc: "The class that gives user and password."},
	{Name: "connection.attempts", Type: config.Int, Default: config.Default("3"), Importance: config.Low, Group: "Database", Order: 5, Width: config.Narrow,
		Display: "JDBC connection attempts", Check: config.AtLeast(1),
		Doc: "How often a connection is tried."},
	{Name: "connection.backoff.ms", Type: config.Long, Default: config.Default("10000"), Importance: config.Low, Group: "Database", Order: 6, Width: config.Narrow,
		Display: "JDBC connection backoff in milliseconds",
		Doc:     "The pause between two tries to connect, in milliseconds."},
	{Name: "table.whitelist", Type: config.List, Default: config.Default(""), Importance: config.Medium, Group: "Database", Order: 7, Width: config.Wide,
		Display: "Table Whitelist",
		Doc:     "The tables to read; all when empty. Not together with table.blacklist."},
	{Name: "table.blacklist", Type: config.List, Default: config.Default(""), Importance: config.Medium, Group: "Database", Order: 8, Width: config.Wide,
		Display: "Table Blacklist",
		Doc:     "The tables to leave out. Not together with table.whitelist."},
	{Name: "catalog.pattern", Type: config.String, Importance: config.Medium, Group: "Database", Order: 9, Width: config.Narrow,
		Display: "Schema pattern", Unsupported: true,
		Doc: "The catalogs to look for tables in; SQLite has none."},
	{Name: "schema.pattern", Type: config.String, Importance: config.High, Group: "Database", Order: 10, Width: config.Narrow,
		Display: "Schema pattern", Unsupported: true,
		Doc: "The database schemas to look for tables in; SQLite has none."},
	{Name: "numeric.precision.mapping", Type: config.Boolean, Default: config.Default("false"), Importance: config.Low, Group: "Database", Order: 11, Width: config.Narrow,
		Display: "Map Numeric Values By Precision (deprecated)",
		Doc:     "Whether NUMERIC columns become whole numbers by their precision."},
	{Name: "numeric.mapping", Type: config.String, Importance: config.Low, Group: "Database", Order: 12, Width: config.Narrow,
		Display: "Map Numeric Values, Integral or Decimal, By Precision and Scale", Recommended: mappings,
		Doc: "How NUMERIC columns become numbers."},
	{Name: "dialect.name", Type: config.String, Default: config.Default(""), Importance: config.Low, Group: "Database", Order: 13, Width: config.Wide,
		Display: "Database Dialect", Recommended: dialects, Check: sqliteOnly,
		Doc: "The kind of database, when it does not follow from the URL."},
	{Name: "mode", Type: config.String, Default: config.Default(""), Importance: config.High, Group: "Mode", Order: 1, Width: config.Middle,
		Display: "Table Loading Mode", Dependents: []string{"incrementing.column.name", "timestamp.column.name", "validate.non.null"},
		Doc: "How changes are found: bulk reads everything each time; incrementing finds new rows by a growing column; timestamp finds changed rows by a time column; timestamp+incrementing finds both."},
	{Name: "incrementing.column.name", Type: config.String, Default: config.Default(""), Importance: config.Medium, Group: "Mode", Order: 2, Width: config.Middle,
		Display: "Incrementing Column Name", Hidden: unlessMode("incrementing"),
		Doc: "The column that grows with every new row; the primary key or the first autoincrement column when empty."},
	{Name: "timestamp.column.name", Type: config.List, Default: config.Default(""), Importance: config.Medium, Group: "Mode", Order: 3, Width: config.Middle,
		Display: "Timestamp Column Name", Hidden: unlessMode("timestamp"),
		Doc: "The column with the time of the last change, in milliseconds since 1970; the first one that is not null of several."},
	{Name: "timestamp.initial", Type: config.Long, Importance: config.Low, Group: "Mode", Order: 4, Width: config.Middle,
		Display: "Unix time value of initial timestamp", Hidden: unlessMode("timestamp"),
		Doc: "Where to begin, in milliseconds since 1970; -1 is now."},
	{Name: "validate.non.null", Type: config.Boolean, Default: config.Default("true"), Importance: config.Low, Group: "Mode", Order: 5, Width: config.Narrow,
		Display: "Validate Non Null", Hidden: unlessMode("incrementing", "timestamp"),
		Doc: "Whether nullable incrementing and timestamp columns are refused."},
	{Name: "query", Type: config.String, Default: config.Default(""), Importance: config.Medium, Group: "Mode", Order: 6, Width: config.Narrow,
		Display: "Query",
		Doc:     "A query to read in place of tables."},
	{Name: "quote.sql.identifiers", Type: config.String, Default: config.Default("ALWAYS"), Importance: config.Medium, Group: "Mode", Order: 7, Width: config.Middle,
		Display: "Quote Identifiers", Check: config.OneOfAnyCase("always", "never"), Recommended: []string{"always", "never"}, Unsupported: true,
		Doc: "Whether names of tables and columns are quoted in statements."},
	{Name: "query.suffix", Type: config.String, Default: config.Default(""), Importance: config.Low, Group: "Mode", Order: 8, Width: config.Middle,
		Display: "Query suffix",
		Doc:     "Text to put behind every query."},
	{Name: "transaction.isolation.mode", Type: config.String, Default: config.Default("DEFAULT"), Importance: config.Low, Group: "Mode", Order: 9, Width: config.Middle,
		Display: "Transaction Isolation Mode", Recommended: []string{"default", "read_uncommitted", "read_committed", "repeatable_read", "serializable", "sql_server_snapshot"}, Unsupported: true,
		Doc: "The isolation of reads."},
	{Name: "query.retry.attempts", Type: config.Int, Default: config.Default("-1"), Importance: config.Low, Group: "Mode", Order: 10, Width: config.Middle,
		Display: "Query Retry Attempts",
		Doc:     "How often a failed query is tried again; -1 is without end."},
	{Name: "table.types", Type: config.List, Default: config.Default("TABLE"), Importance: config.Low, Group: "Connector", Order: 1, Width: config.Middle,
		Display: "Table Types",
		Doc:     "The kinds of tables to read, TABLE or VIEW."},
	{Name: "poll.interval.ms", Type: config.Int, Default: config.Default("5000"), Importance: config.High, Group: "Connector", Order: 2, Width: config.Narrow,
		Display: "Poll Interval (ms)", Check: config.AtLeast(0),
		Doc: "The pause between two looks at a table, in milliseconds."},
	{Name: "batch.max.rows", Type: config.Int, Default: config.Default("100"), Importance: config.Low, Group: "Connector", Order: 3, Width: config.Narrow,
		Display: "Max Rows Per Batch", Check: config.AtLeast(1),
		Doc: "The most rows that are read at once."},
	{Name: "table.monitoring.startup.polling.limit.ms", Type: config.Long, Default: config.Default("10000"), Importance: config.Low, Group: config.EmptyGroup, Order: -1, Width: config.NoWidth,
		Display: "table.monitoring.startup.polling.limit.ms",
		Doc:     "How long the start waits for the list of tables, in milliseconds."},
	{Name: "table.poll.interval.ms", Type: config.Long, Default: config.Default("60000"), Importance: config.Low, Group: "Connector", Order: 4, Width: config.Narrow,
		Display: "Metadata Change Monitoring Interval (ms)",
		Doc:     "The pause between two looks for new tables, in milliseconds."},
	{Name: "topic.prefix", Type: config.String, Default: config.Default(""), Importance: config.High, Group: "Connector", Order: 5, Width: config.Middle,
		Display: "Topic Prefix",
		Doc:     "What a topic's name has before the table's."},
	{Name: "timestamp.delay.interval.ms", Type: config.Long, Default: config.Default("0"), Importance: config.High, Group: "Connector", Order: 6, Width: config.Middle,
		Display: "Delay Interval (ms)",
		Doc:     "How old a change must be before it is read, in milliseconds, so that transactions that began earlier are not missed."},
	{Name: "db.timezone", Type: config.String, Default: config.Default("UTC"), Importance: config.Medium, Group: "Connector", Order: 7, Width: config.Middle,
		Display: "DB time zone", Check: knownZone,
		Doc: "The time zone of the texts and Julian days in TIMESTAMP columns."},
	{Name: "timestamp.granularity", Type: config.String, Default: config.Default("connect_logical"), Importance: config.Low, Group: "Connector", Order: 8, Width: config.Middle,
		Display: "Timestamp granularity for timestamp columns", Check: config.OneOfAnyCase("connect_logical", "micros_long", "micros_string", "micros_iso_datetime_string", "nanos_long", "nanos_string", "nanos_iso_datetime_string"), Recommended: []string{"connect_logical", "micros_long", "micros_string", "micros_iso_datetime_string", "nanos_long", "nanos_string", "nanos_iso_datetime_string"},
		Doc: "What TIMESTAMP columns become."},
}}

// sqliteOnly refuses the dialects of other databases.
func sqliteOnly(v any) error {
	if text, ok := v.(string); ok && text != "" && text != "SqliteDatabaseDialect" {
		return config.Errorf("the embedded worker reads SQLite only: leave it out, or set it to SqliteDatabaseDialect")
	}
	return nil
}

// knownZone refuses what names no time zone.
func knownZone(v any) error {
	text, _ := v.(string)
	if _, err := zoneOf(text); err != nil {
		return config.Errorf("Invalid time zone identifier")
	}
	return nil
}

// dialects are the kinds of databases that the real connector knows.
var dialects = []string{
	"", "Db2DatabaseDialect", "MySqlDatabaseDialect", "SybaseDatabaseDialect", "GenericDatabaseDialect", "OracleDatabaseDialect", "SqlServerDatabaseDialect",
	"PostgreSqlDatabaseDialect", "SqliteDatabaseDialect", "DerbyDatabaseDialect", "SapHanaDatabaseDialect", "VerticaDatabaseDialect",
}
