// Package reference writes docs/sql-support.md: which statements, clauses,
// expressions, formats and functions the engine supports, and how many of
// ksqlDB's own test cases and of a real server's recorded answers it matches.
//
// Invariants: what the document says is taken from tables that tests keep true.
// Every Feature has an example that is run; functions come from the registry,
// whose examples are evaluated; the counts are compared by the tests that count.
// The document is a function of this package, the registry and the lists of known
// failures alone, so that a test can tell when it is out of date.
package reference

//go:generate go run ./generate ../../../..

// Feature is a statement, clause or expression of ksqlDB's SQL.
type Feature struct {
	// Form is its syntax.
	Form string
	// Note says what is special about it; it may be empty.
	Note string
	// Example is a statement that uses it, over the sources of Setup.
	Example string
	// Refusal is a part of the error with which the example is refused; empty where
	// it is accepted.
	Refusal string
	// Server marks statements that concern the server and not the analysis of SQL.
	Server bool
}

// Section is a group of features.
type Section struct {
	Title    string
	Features []Feature
}

// Setup makes the sources that the examples use.
const Setup = `CREATE TYPE ADDRESS AS STRUCT<STREET STRING, CITY STRING>;
CREATE STREAM ORDERS (ID STRING KEY, CUSTOMER BIGINT, PRODUCT STRING, QUANTITY INT, PRICE DECIMAL(8, 2), MADE TIMESTAMP,
  TAGS ARRAY<STRING>, EXTRAS MAP<STRING, INT>, DELIVERY ADDRESS)
  WITH (KAFKA_TOPIC='orders', PARTITIONS=1, VALUE_FORMAT='JSON');
CREATE STREAM PAYMENTS (ID STRING KEY, AMOUNT DOUBLE) WITH (KAFKA_TOPIC='payments', PARTITIONS=1, VALUE_FORMAT='JSON');
CREATE TABLE CUSTOMERS (ID BIGINT PRIMARY KEY, NAME STRING, REGION STRING) WITH (KAFKA_TOPIC='customers', PARTITIONS=1, VALUE_FORMAT='JSON');
CREATE TABLE REGIONS (NAME STRING PRIMARY KEY, MANAGER STRING) WITH (KAFKA_TOPIC='regions', PARTITIONS=1, VALUE_FORMAT='JSON');
CREATE STREAM PRICES (PRODUCT STRING KEY, PRICE DOUBLE) WITH (KAFKA_TOPIC='prices', PARTITIONS=1, VALUE_FORMAT='AVRO');
CREATE TABLE TOTALS AS SELECT CUSTOMER, SUM(QUANTITY) AS UNITS FROM ORDERS GROUP BY CUSTOMER;
CREATE TABLE HOURLY AS SELECT CUSTOMER, COUNT(*) AS N FROM ORDERS WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY CUSTOMER;`
