package reference

// Sections lists what of ksqlDB's SQL is supported, and what is refused.
func Sections() []Section {
	return []Section{
		{"Streams, tables and types", definitions()},
		{"Writing", writing()},
		{"Queries", queries()},
		{"Joins", joins()},
		{"Windows", windows()},
		{"Pull queries", pulls()},
		{"Expressions", expressions()},
		{"Types", dataTypes()},
		{"Formats", formats()},
		{"Statements to the server", administration()},
		{"Not in ksqlDB's SQL", absent()},
	}
}

func definitions() []Feature {
	return []Feature{
		{Form: "CREATE [OR REPLACE] STREAM [IF NOT EXISTS] name (columns) WITH (…)", Example: "CREATE STREAM X (K STRING KEY, V INT) WITH (KAFKA_TOPIC='x', PARTITIONS=1, VALUE_FORMAT='JSON');"},
		{Form: "CREATE [OR REPLACE] TABLE [IF NOT EXISTS] name (columns) WITH (…)", Note: "a table needs a PRIMARY KEY", Example: "CREATE TABLE X (K STRING PRIMARY KEY, V INT) WITH (KAFKA_TOPIC='x', PARTITIONS=1, VALUE_FORMAT='JSON');"},
		{Form: "CREATE TABLE without PRIMARY KEY", Example: "CREATE TABLE X (V INT) WITH (KAFKA_TOPIC='x', PARTITIONS=1, VALUE_FORMAT='JSON');", Refusal: "Tables require a PRIMARY KEY"},
		{Form: "CREATE SOURCE STREAM name … / CREATE SOURCE TABLE name …", Note: "read only; a source table answers pull queries", Example: "CREATE SOURCE TABLE X (K STRING PRIMARY KEY, V INT) WITH (KAFKA_TOPIC='regions', VALUE_FORMAT='JSON');"},
		{Form: "CREATE [OR REPLACE] STREAM name [WITH (…)] AS SELECT …", Example: "CREATE STREAM X WITH (KAFKA_TOPIC='y', VALUE_FORMAT='AVRO') AS SELECT ID, QUANTITY FROM ORDERS EMIT CHANGES;"},
		{Form: "CREATE [OR REPLACE] TABLE name [WITH (…)] AS SELECT …", Example: "CREATE TABLE X AS SELECT PRODUCT, COUNT(*) AS N FROM ORDERS GROUP BY PRODUCT;"},
		{Form: "column HEADERS, column HEADER('key')", Example: "CREATE STREAM X (K STRING KEY, V INT, H ARRAY<STRUCT<KEY STRING, VALUE BYTES>> HEADERS) WITH (KAFKA_TOPIC='x', PARTITIONS=1, VALUE_FORMAT='JSON');"},
		{Form: "WITH (FORMAT, KEY_FORMAT, VALUE_FORMAT, KEY_DELIMITER, VALUE_DELIMITER, WRAP_SINGLE_VALUE)", Example: "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='x', PARTITIONS=1, VALUE_FORMAT='JSON', WRAP_SINGLE_VALUE=false);"},
		{Form: "WITH (TIMESTAMP, TIMESTAMP_FORMAT)", Example: "CREATE STREAM X (K STRING KEY, S STRING) WITH (KAFKA_TOPIC='x', PARTITIONS=1, VALUE_FORMAT='JSON', TIMESTAMP='S', TIMESTAMP_FORMAT='yyyy-MM-dd');"},
		{Form: "WITH (WINDOW_TYPE, WINDOW_SIZE)", Example: "CREATE STREAM X (K STRING KEY, V INT) WITH (KAFKA_TOPIC='x', PARTITIONS=1, VALUE_FORMAT='JSON', WINDOW_TYPE='TUMBLING', WINDOW_SIZE='30 SECONDS');"},
		{Form: "a property that ksqlDB doesn't know", Example: "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', COLOUR='red');", Refusal: "Invalid config variable(s) in the WITH clause: COLOUR"},
		{Form: "ALTER STREAM|TABLE name ADD [COLUMN] column type, …", Example: "ALTER STREAM ORDERS ADD COLUMN NOTE STRING;"},
		{Form: "DROP STREAM|TABLE [IF EXISTS] name [DELETE TOPIC]", Example: "DROP STREAM IF EXISTS PAYMENTS;"},
		{Form: "CREATE TYPE [IF NOT EXISTS] name AS type", Example: "CREATE TYPE MONEY AS DECIMAL(12, 2);"},
		{Form: "DROP TYPE [IF EXISTS] name", Example: "DROP TYPE ADDRESS;"},
	}
}

func writing() []Feature {
	return []Feature{
		{Form: "INSERT INTO name [(columns)] VALUES (…)", Note: "ROWTIME may be given", Example: "INSERT INTO PAYMENTS (ROWTIME, ID, AMOUNT) VALUES (1700000000000, 'a', 2.50);"},
		{Form: "INSERT INTO name [WITH (QUERY_ID='id')] SELECT …", Example: "INSERT INTO PAYMENTS SELECT ID, CAST(PRICE AS DOUBLE) AS AMOUNT FROM ORDERS;"},
		{Form: "INSERT INTO a table SELECT …", Example: "INSERT INTO CUSTOMERS SELECT * FROM CUSTOMERS;", Refusal: "INSERT INTO can only be used to insert into a stream. CUSTOMERS is a table"},
	}
}

func queries() []Feature {
	return []Feature{
		{Form: "SELECT … FROM … EMIT CHANGES", Note: "a push query; in CREATE … AS and INSERT INTO the EMIT CHANGES may be left out", Example: "SELECT * FROM ORDERS EMIT CHANGES;"},
		{Form: "SELECT *, source.*, struct->*", Example: "SELECT ID, DELIVERY->* FROM ORDERS EMIT CHANGES;"},
		{Form: "expression [AS] alias", Note: "without alias: KSQL_COL_0, KSQL_COL_1, …", Example: "SELECT QUANTITY * 2 AS DOUBLED, QUANTITY + 1 FROM ORDERS EMIT CHANGES;"},
		{Form: "WHERE", Example: "SELECT ID FROM ORDERS WHERE QUANTITY > 3 EMIT CHANGES;"},
		{Form: "GROUP BY expression, …", Example: "SELECT CUSTOMER, PRODUCT, SUM(QUANTITY) AS N FROM ORDERS GROUP BY CUSTOMER, PRODUCT EMIT CHANGES;"},
		{Form: "HAVING", Example: "SELECT PRODUCT, COUNT(*) AS N FROM ORDERS GROUP BY PRODUCT HAVING COUNT(*) > 2 EMIT CHANGES;"},
		{Form: "an aggregate function without GROUP BY, in a push query", Note: "over all rows", Example: "SELECT COUNT(*) AS N FROM ORDERS EMIT CHANGES;"},
		{Form: "an aggregate function without GROUP BY, in CREATE TABLE … AS", Example: "CREATE TABLE X AS SELECT COUNT(*) AS N FROM ORDERS;", Refusal: "without a GROUP BY clause"},
		{Form: "PARTITION BY expression, …", Example: "CREATE STREAM X AS SELECT CUSTOMER, ID FROM ORDERS PARTITION BY CUSTOMER;"},
		{Form: "GROUP BY together with PARTITION BY", Example: "SELECT PRODUCT, COUNT(*) FROM ORDERS GROUP BY PRODUCT PARTITION BY PRODUCT EMIT CHANGES;", Refusal: "Queries only support one of PARTITION BY and GROUP BY"},
		{Form: "table functions in the projection", Example: "SELECT ID, EXPLODE(TAGS) AS TAG FROM ORDERS EMIT CHANGES;"},
		{Form: "LIMIT n", Example: "SELECT * FROM ORDERS EMIT CHANGES LIMIT 5;"},
		{Form: "system columns ROWTIME, ROWPARTITION, ROWOFFSET", Example: "SELECT ID, ROWTIME AS WRITTEN, ROWOFFSET AS PLACE FROM ORDERS EMIT CHANGES;"},
		{Form: "a key left out of a table's projection", Example: "CREATE TABLE X AS SELECT COUNT(*) AS N FROM ORDERS GROUP BY PRODUCT;", Refusal: "Key missing from projection"},
	}
}

func joins() []Feature {
	return []Feature{
		{Form: "stream [INNER] JOIN stream WITHIN n unit", Example: "SELECT O.ID AS ID, AMOUNT FROM ORDERS O JOIN PAYMENTS P WITHIN 1 HOUR ON O.ID = P.ID EMIT CHANGES;"},
		{Form: "WITHIN (before, after) GRACE PERIOD n unit", Example: "SELECT O.ID AS ID, AMOUNT FROM ORDERS O LEFT JOIN PAYMENTS P WITHIN (1 HOUR, 2 HOURS) GRACE PERIOD 10 MINUTES ON O.ID = P.ID EMIT CHANGES;"},
		{Form: "RIGHT and FULL [OUTER] JOIN of streams", Example: "SELECT ROWKEY AS ID, AMOUNT FROM ORDERS O FULL OUTER JOIN PAYMENTS P WITHIN 1 HOUR ON O.ID = P.ID EMIT CHANGES;"},
		{Form: "stream-stream join without WITHIN", Example: "SELECT * FROM ORDERS O JOIN PAYMENTS P ON O.ID = P.ID EMIT CHANGES;", Refusal: "Stream-Stream joins must have a WITHIN clause specified"},
		{Form: "stream [LEFT] JOIN table", Example: "SELECT CUSTOMER, O.ID AS ORDER_ID, NAME FROM ORDERS O LEFT JOIN CUSTOMERS C ON O.CUSTOMER = C.ID EMIT CHANGES;"},
		{Form: "stream FULL JOIN table", Example: "SELECT * FROM ORDERS O FULL OUTER JOIN CUSTOMERS C ON O.CUSTOMER = C.ID EMIT CHANGES;", Refusal: "full-outer join not supported for stream-table join"},
		{Form: "table JOIN table on their keys", Note: "INNER, LEFT, RIGHT, FULL", Example: "CREATE TABLE X AS SELECT C.ID AS ID, NAME, UNITS FROM CUSTOMERS C JOIN TOTALS T ON C.ID = T.CUSTOMER;"},
		{Form: "table JOIN table on a column of the left one", Note: "foreign key; INNER and LEFT", Example: "CREATE TABLE X AS SELECT C.ID AS ID, MANAGER FROM CUSTOMERS C JOIN REGIONS R ON C.REGION = R.NAME;"},
		{Form: "joins of more than two sources", Example: "SELECT C.ID AS ID, AMOUNT, NAME FROM ORDERS O JOIN PAYMENTS P WITHIN 1 HOUR ON O.ID = P.ID JOIN CUSTOMERS C ON O.CUSTOMER = C.ID EMIT CHANGES;"},
		{Form: "a condition other than an equality", Example: "SELECT * FROM ORDERS O JOIN CUSTOMERS C ON O.CUSTOMER > C.ID EMIT CHANGES;", Refusal: "Only equality join criteria is supported"},
	}
}

func windows() []Feature {
	return []Feature{
		{Form: "WINDOW TUMBLING (SIZE n unit [, RETENTION n unit] [, GRACE PERIOD n unit])", Example: "SELECT PRODUCT, COUNT(*) AS N FROM ORDERS WINDOW TUMBLING (SIZE 30 SECONDS, RETENTION 1 DAY, GRACE PERIOD 1 HOUR) GROUP BY PRODUCT EMIT CHANGES;"},
		{Form: "WINDOW HOPPING (SIZE n unit, ADVANCE BY n unit …)", Example: "SELECT PRODUCT, COUNT(*) AS N FROM ORDERS WINDOW HOPPING (SIZE 30 SECONDS, ADVANCE BY 10 SECONDS) GROUP BY PRODUCT EMIT CHANGES;"},
		{Form: "WINDOW SESSION (n unit …)", Example: "SELECT PRODUCT, COUNT(*) AS N FROM ORDERS WINDOW SESSION (60 SECONDS) GROUP BY PRODUCT EMIT CHANGES;"},
		{Form: "EMIT FINAL", Note: "one result per window, when it has closed", Example: "CREATE TABLE X AS SELECT PRODUCT, COUNT(*) AS N FROM ORDERS WINDOW TUMBLING (SIZE 30 SECONDS) GROUP BY PRODUCT EMIT FINAL;"},
		{Form: "EMIT FINAL without a window", Example: "CREATE TABLE X AS SELECT PRODUCT, COUNT(*) AS N FROM ORDERS GROUP BY PRODUCT EMIT FINAL;", Refusal: "EMIT FINAL is only supported for windowed aggregations"},
		{Form: "WINDOWSTART, WINDOWEND", Example: "SELECT PRODUCT, WINDOWSTART, WINDOWEND, COUNT(*) AS N FROM ORDERS WINDOW TUMBLING (SIZE 1 DAY) GROUP BY PRODUCT EMIT CHANGES;"},
		{Form: "units MILLISECOND(S), SECOND(S), MINUTE(S), HOUR(S), DAY(S)", Example: "SELECT PRODUCT, COUNT(*) AS N FROM ORDERS WINDOW TUMBLING (SIZE 250 MILLISECONDS) GROUP BY PRODUCT EMIT CHANGES;"},
	}
}

func pulls() []Feature {
	return []Feature{
		{Form: "SELECT … FROM table WHERE key = value", Example: "SELECT UNITS FROM TOTALS WHERE CUSTOMER = 5;"},
		{Form: "WHERE key IN (…), ranges of keys, other conditions", Note: "what is no look-up scans the table", Example: "SELECT * FROM TOTALS WHERE CUSTOMER IN (1, 2) AND UNITS > 3;"},
		{Form: "WINDOWSTART, WINDOWEND in WHERE", Example: "SELECT * FROM HOURLY WHERE CUSTOMER = 5 AND WINDOWSTART >= '2024-01-01T00:00:00' AND WINDOWEND < '2024-01-02';"},
		{Form: "SELECT … FROM stream", Note: "ends where the stream ended when it began", Example: "SELECT ID FROM ORDERS WHERE QUANTITY > 3;"},
		{Form: "LIMIT n", Example: "SELECT * FROM TOTALS LIMIT 3;"},
		{Form: "a table that no query keeps", Example: "SELECT * FROM CUSTOMERS;", Refusal: "isn't queryable"},
		{Form: "GROUP BY, joins, windows", Example: "SELECT CUSTOMER, COUNT(*) FROM TOTALS GROUP BY CUSTOMER;", Refusal: "Pull queries don't support GROUP BY clauses"},
	}
}

// selects is a push query of an expression.
func selects(form, expression string) Feature {
	return Feature{Form: form, Example: "SELECT " + expression + " AS X FROM ORDERS EMIT CHANGES;"}
}

func expressions() []Feature {
	simpleCase := selects("CASE value WHEN … THEN … END", "CASE QUANTITY WHEN 1 THEN 'one' ELSE 'more' END")
	simpleCase.Refusal, simpleCase.Note = "not yet implemented", "write CASE WHEN value = … instead"
	null := selects("value = NULL", "QUANTITY = NULL")
	null.Refusal, null.Note = "Comparison with NULL not supported", "write IS NULL instead"
	return []Feature{
		selects("+ - * / %, signs", "-QUANTITY + 2 * 3 / 4 % 5"),
		selects("|| (texts and bytes)", "PRODUCT || '-' || ID"),
		selects("= <> != < <= > >=", "QUANTITY <> 3"),
		selects("AND, OR, NOT", "NOT (QUANTITY > 1 AND PRICE < 5 OR QUANTITY = 0)"),
		selects("IS [NOT] NULL", "PRODUCT IS NOT NULL"),
		selects("IS [NOT] DISTINCT FROM", "PRODUCT IS DISTINCT FROM ID"),
		null,
		selects("[NOT] BETWEEN … AND …", "QUANTITY NOT BETWEEN 1 AND 3"),
		selects("[NOT] IN (…)", "PRODUCT IN ('a', 'b')"),
		selects("[NOT] LIKE … [ESCAPE …]", "PRODUCT LIKE '10!%%' ESCAPE '!'"),
		selects("CASE WHEN … THEN … [ELSE …] END", "CASE WHEN QUANTITY > 5 THEN 'many' ELSE 'few' END"),
		simpleCase,
		selects("CAST(value AS type)", "CAST(PRICE AS STRING)"),
		selects("ARRAY[…], array[index]", "ARRAY[1, 2, 3][-1]"),
		selects("MAP('key' := value), map['key']", "MAP('a' := 1)['a']"),
		selects("STRUCT(field := value), struct->field", "STRUCT(A := 1, B := 'x')->B"),
		selects("lambdas x => …, (k, v) => …", "TRANSFORM(EXTRAS, (k, v) => UCASE(k), (k, v) => v + 1)"),
		selects("times and dates as text", "MADE > '2024-01-01T00:00:00'"),
	}
}

// casts is a query that casts NULL to a type.
func casts(types string, to string) Feature {
	return selects(types, "CAST(NULL AS "+to+")")
}

func dataTypes() []Feature {
	return []Feature{
		casts("BOOLEAN", "BOOLEAN"), casts("INT, INTEGER", "INTEGER"), casts("BIGINT", "BIGINT"), casts("DOUBLE", "DOUBLE"),
		casts("DECIMAL(precision, scale)", "DECIMAL(10, 2)"), casts("STRING, VARCHAR", "VARCHAR"), casts("BYTES", "BYTES"),
		casts("DATE", "DATE"), casts("TIME", "TIME"), casts("TIMESTAMP", "TIMESTAMP"), casts("ARRAY<type>", "ARRAY<INT>"), casts("MAP<type, type>", "MAP<STRING, INT>"),
		casts("STRUCT<name type, …>", "STRUCT<A INT, `b` STRING>"), casts("a custom type", "ADDRESS"),
	}
}

// stored is a stream whose values have a format.
func stored(format, note string) Feature {
	return Feature{Form: format, Note: note, Example: "CREATE STREAM X (K STRING KEY, V INT) WITH (KAFKA_TOPIC='x', PARTITIONS=1, VALUE_FORMAT='" + format + "');"}
}

func formats() []Feature {
	none := Feature{Form: "NONE", Note: "for keys of streams without key columns", Example: "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='x', PARTITIONS=1, KEY_FORMAT='NONE', VALUE_FORMAT='JSON');"}
	infer := Feature{Form: "columns from the Schema Registry", Note: "AVRO, JSON_SR, PROTOBUF; KEY_SCHEMA_ID, VALUE_SCHEMA_ID, KEY_SCHEMA_FULL_NAME, VALUE_SCHEMA_FULL_NAME",
		Example: "CREATE STREAM X (PRODUCT STRING KEY) WITH (KAFKA_TOPIC='prices', VALUE_FORMAT='AVRO');"}
	missing := Feature{Form: "columns from a schema that isn't registered", Example: "CREATE STREAM X WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='AVRO');",
		Refusal: "Schema for message values on topic 'orders' does not exist in the Schema Registry"}
	unknown := stored("XML", "")
	unknown.Refusal = "Unknown format: XML"
	return []Feature{
		stored("KAFKA", "Kafka's own serializers: one column of INT, BIGINT, DOUBLE, STRING or BYTES"), stored("JSON", ""), stored("DELIMITED", "no nested columns"),
		none, stored("AVRO", ""), stored("JSON_SR", "JSON with a schema in the registry"), stored("PROTOBUF", ""), stored("PROTOBUF_NOSR", "without a schema in the registry"),
		infer, missing, unknown,
	}
}
