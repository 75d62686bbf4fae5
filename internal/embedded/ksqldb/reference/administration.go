package reference

// served is a statement that the server carries out.
func served(form, note, example string) Feature {
	return Feature{Form: form, Note: note, Example: example, Server: true}
}

func administration() []Feature {
	simple := func(list ...string) []Feature {
		var out []Feature
		for _, statement := range list {
			out = append(out, served(statement, "", statement+";"))
		}
		return out
	}
	out := simple("SHOW STREAMS", "SHOW STREAMS EXTENDED", "SHOW TABLES", "SHOW TOPICS", "SHOW ALL TOPICS", "SHOW QUERIES", "SHOW QUERIES EXTENDED",
		"SHOW PROPERTIES", "SHOW FUNCTIONS", "SHOW TYPES", "SHOW VARIABLES", "LIST STREAMS", "DESCRIBE STREAMS EXTENDED")
	return append(out,
		served("DESCRIBE source [EXTENDED]", "", "DESCRIBE ORDERS EXTENDED;"),
		served("DESCRIBE FUNCTION name", "", "DESCRIBE FUNCTION ABS;"),
		served("EXPLAIN query id | statement", "the topology is that of this engine", "EXPLAIN SELECT * FROM ORDERS EMIT CHANGES;"),
		served("PRINT topic [FROM BEGINNING] [INTERVAL n] [LIMIT n]", "a query: sent to the end points of queries", "PRINT orders FROM BEGINNING LIMIT 1;"),
		served("TERMINATE query id | ALL", "", "TERMINATE ALL;"),
		served("PAUSE query id | ALL, RESUME query id | ALL", "", "PAUSE ALL;"),
		served("SET 'property' = 'value', UNSET 'property'", "for the statements of the same request", "SET 'auto.offset.reset' = 'earliest';"),
		served("DEFINE name = 'value', UNDEFINE name", "${name} is replaced in the statements of the same request", "DEFINE topic = 'orders';"),
		served("ASSERT [NOT EXISTS] TOPIC name [WITH (…)] [TIMEOUT n unit]", "", "ASSERT NOT EXISTS TOPIC nowhere TIMEOUT 1 SECOND;"),
		served("ASSERT [NOT EXISTS] SCHEMA [SUBJECT name] [ID n] [TIMEOUT n unit]", "", "ASSERT NOT EXISTS SCHEMA SUBJECT nowhere TIMEOUT 1 SECOND;"),
		served("SHOW [SOURCE|SINK] CONNECTORS", "answered by Kafka Connect", "SHOW CONNECTORS;"),
		served("CREATE SOURCE|SINK CONNECTOR [IF NOT EXISTS] name WITH (…)", "passed on to Kafka Connect", "CREATE SINK CONNECTOR IF NOT EXISTS C WITH ('connector.class'='x');"),
		served("DROP CONNECTOR [IF EXISTS] name, DESCRIBE CONNECTOR name", "passed on to Kafka Connect", "DROP CONNECTOR IF EXISTS C;"),
	)
}

func absent() []Feature {
	return []Feature{
		{Form: "ORDER BY", Note: "pull the rows and sort them", Example: "SELECT * FROM ORDERS ORDER BY ID EMIT CHANGES;", Refusal: "Syntax Error"},
		{Form: "DISTINCT", Note: "use GROUP BY", Example: "SELECT DISTINCT PRODUCT FROM ORDERS EMIT CHANGES;", Refusal: "Syntax Error"},
		{Form: "UNION", Note: "write into one stream with several INSERT INTO … SELECT", Example: "SELECT * FROM ORDERS UNION SELECT * FROM PAYMENTS;", Refusal: "Syntax Error"},
		{Form: "sub-queries", Note: "make the inner query a stream or table of its own", Example: "SELECT * FROM (SELECT * FROM ORDERS) EMIT CHANGES;", Refusal: "Syntax Error"},
		{Form: "UPDATE, DELETE", Note: "INSERT INTO … VALUES with the same key replaces a row", Example: "DELETE FROM CUSTOMERS WHERE ID = 1;", Refusal: "Syntax Error"},
	}
}
