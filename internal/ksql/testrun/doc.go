// Package testrun runs SQL tests: files of ksqlDB statements and assertions in
// the form of ksqlDB's own SQL tests, on an engine that the caller brings.
//
//	--@test: an order of 2000 is fraud
//	RUN SCRIPT '../V000001__sources.sql';
//	INSERT INTO orders (id, total, ROWTIME) VALUES ('a', 2000, 10);
//	ASSERT VALUES checks (id, result, ROWTIME) VALUES ('a', 'FAIL', 10);
//	--@test: what must be refused
//	--@expected.error: io.confluent.ksql.util.KsqlException
//	--@expected.message: part of the error's text
//	CREATE STREAM …;
//
// Invariants:
//   - Every test begins on an engine of its own, which is closed when the test has
//     ended, however that came.
//   - A test ends with its first error, which names the place in the file where
//     it happened. It passes without an error, or with the one it expects.
//   - What cannot be read (a file, a directive, a variable) fails a test; nothing
//     is passed over.
package testrun
