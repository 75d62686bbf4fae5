-- What persistent queries make of the rows of their sources.

--@test: a filter and a projection
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT id, v * 2 AS d FROM s WHERE v > 1;
INSERT INTO s (id, v, ROWTIME) VALUES (1, 1, 9);
INSERT INTO s (id, v, ROWTIME) VALUES (1, 2, 10);
ASSERT VALUES o (id, d, ROWTIME) VALUES (1, 4, 10);
ASSERT STREAM o (id INT KEY, d INT) WITH (kafka_topic='O', value_format='JSON');

--@test: a table forgets a group that HAVING no longer lets pass
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE TABLE o AS SELECT id, COUNT(*) AS n FROM s GROUP BY id HAVING COUNT(*) = 2;
INSERT INTO s (id, v) VALUES (1, 1);
INSERT INTO s (id, v) VALUES (1, 1);
INSERT INTO s (id, v) VALUES (1, 1);
ASSERT VALUES o (id, n) VALUES (1, 2);
ASSERT NULL VALUES o (id) KEY (1);

--@test: windows carry their bounds
CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE TABLE o AS SELECT id, SUM(v) AS total FROM s WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY id;
INSERT INTO s (id, v, ROWTIME) VALUES ('a', 1, 1000);
INSERT INTO s (id, v, ROWTIME) VALUES ('a', 2, 9999);
INSERT INTO s (id, v, ROWTIME) VALUES ('a', 4, 10000);
ASSERT VALUES o (id, total, WINDOWSTART, WINDOWEND) VALUES ('a', 1, 0, 10000);
ASSERT VALUES o (id, total, WINDOWSTART, ROWTIME) VALUES ('a', 3, 0, 9999);
ASSERT VALUES o (id, total, WINDOWSTART) VALUES ('a', 4, 10000);

--@test: a stream joined with a table on something else than its key
CREATE STREAM orders (id STRING KEY, customer BIGINT) WITH (kafka_topic='orders', value_format='JSON', partitions=1);
CREATE TABLE customers (id BIGINT PRIMARY KEY, name STRING) WITH (kafka_topic='customers', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT r.customer AS customer, AS_VALUE(r.id) AS orderid, c.name AS name
  FROM orders r LEFT JOIN customers c ON r.customer = c.id;
INSERT INTO customers (id, name) VALUES (7, 'Ann');
INSERT INTO orders (id, customer) VALUES ('x', 7);
INSERT INTO orders (id, customer) VALUES ('y', 8);
ASSERT VALUES o (customer, orderid, name) VALUES (7, 'x', 'Ann');
ASSERT VALUES o (customer, orderid, name) VALUES (8, 'y', NULL);
ASSERT STREAM o (customer BIGINT KEY, orderid STRING, name STRING) WITH (kafka_topic='O', value_format='JSON');

--@test: several queries write one stream
CREATE STREAM a (id INT KEY, v INT) WITH (kafka_topic='a', value_format='JSON', partitions=1);
CREATE STREAM b (id INT KEY, v INT) WITH (kafka_topic='b', value_format='AVRO', partitions=1);
CREATE STREAM o (id INT KEY, v INT, w STRING) WITH (kafka_topic='o', value_format='JSON', partitions=1);
INSERT INTO o SELECT id, v, 'a' AS w FROM a;
INSERT INTO o SELECT id, v, 'b' AS w FROM b;
INSERT INTO b (id, v) VALUES (1, 1);
INSERT INTO a (id, v) VALUES (2, 2);
ASSERT VALUES o (id, v, w) VALUES (1, 1, 'b');
ASSERT VALUES o (id, v, w) VALUES (2, 2, 'a');

--@test: a replaced query goes on with the state of the old one
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE TABLE o AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;
INSERT INTO s (id, v) VALUES (1, 1);
CREATE OR REPLACE TABLE o AS SELECT id, COUNT(*) AS n FROM s WHERE v > 1 GROUP BY id;
INSERT INTO s (id, v) VALUES (1, 1);
INSERT INTO s (id, v) VALUES (1, 2);
ASSERT VALUES o (id, n) VALUES (1, 1);
ASSERT VALUES o (id, n) VALUES (1, 2);

--@test: a missing key is refused
--@expected.message: must include the key column ID in its projection
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT v FROM s;

--@test: a wrong assertion fails
--@expected.message: D is 4, expected 5
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT id, v * 2 AS d FROM s;
INSERT INTO s (id, v) VALUES (1, 2);
ASSERT VALUES o (id, d) VALUES (1, 5);

--@test: an assertion beyond the last record fails
--@expected.message: all records have already been read: 1 of topic O
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT id, v FROM s;
INSERT INTO s (id, v) VALUES (1, 2);
ASSERT VALUES o (id) VALUES (1);
ASSERT VALUES o (id) VALUES (1);

--@test: an anti-join by the key of the side that may be missing
CREATE STREAM l (id INT KEY, a INT) WITH (kafka_topic='l', value_format='JSON', partitions=1);
CREATE TABLE r (id INT PRIMARY KEY, b INT) WITH (kafka_topic='r', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT r.id, a FROM l LEFT JOIN r ON l.id = r.id WHERE r.id IS NULL;
INSERT INTO r (id, b) VALUES (1, 1);
INSERT INTO l (id, a) VALUES (1, 10);
INSERT INTO l (id, a) VALUES (2, 20);
ASSERT VALUES o (r_id, a) VALUES (2, 20);

--@test: an alias that is the name of another column
CREATE STREAM s (id INT KEY, a INT, b INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT ABS(a) AS b, b AS c FROM s PARTITION BY ABS(a);
CREATE TABLE p WITH (key_format='JSON') AS SELECT ABS(a) AS b, b AS c, COUNT(*) AS n FROM s GROUP BY ABS(a), b;
INSERT INTO s (id, a, b) VALUES (1, -2, 3);
ASSERT VALUES o (b, c) VALUES (2, 3);
ASSERT VALUES p (b, c, n) VALUES (2, 3, 1);

--@test: joined names that can not be told apart are refused
--@expected.message: would both be named `A_B_C`
CREATE STREAM s (id INT KEY, b_c INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM t (id INT KEY, c INT) WITH (kafka_topic='t', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT a.id, b_c, c FROM s a JOIN t a_b WITHIN 1 HOUR ON a.id = a_b.id;

--@test: windows are not lost by grouping
--@expected.message: GROUP BY is not supported on a source with windowed keys
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1, window_type='SESSION');
CREATE TABLE o AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;

--@test: a join is not replaced
--@expected.message: Upgrades not yet supported for StreamTableJoin
CREATE STREAM l (id INT KEY, a INT) WITH (kafka_topic='l', value_format='JSON', partitions=1);
CREATE TABLE r (id INT PRIMARY KEY, b INT) WITH (kafka_topic='r', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT l.id, a, b FROM l LEFT JOIN r ON l.id = r.id;
CREATE OR REPLACE STREAM o AS SELECT l.id, a, b FROM l LEFT JOIN r ON l.id = r.id WHERE a > 1;

--@test: the state of an aggregation is not read as another
--@expected.message: aggregate functions of CTAS_O_0 must stay as they are
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE TABLE o AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;
CREATE OR REPLACE TABLE o AS SELECT id, COUNT(*) AS n, SUM(v) AS total FROM s GROUP BY id;

--@test: everything about a source may be asserted
CREATE STREAM s (id INT KEY, v INT, t STRING, h ARRAY<STRUCT<key STRING, value BYTES>> HEADERS) WITH (kafka_topic='s', value_format='DELIMITED', value_delimiter='|', timestamp='t', timestamp_format='yyyy', partitions=1);
CREATE TABLE o WITH (value_format='JSON') AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY id;
ASSERT STREAM s (id INT KEY, v INT, t STRING, h ARRAY<STRUCT<key STRING, value BYTES>> HEADERS) WITH (kafka_topic='s', value_format='DELIMITED', value_delimiter='|', timestamp='t', timestamp_format='yyyy');
ASSERT TABLE o (id INT PRIMARY KEY, n BIGINT) WITH (kafka_topic='O', value_format='JSON', window_type='TUMBLING', window_size='10 SECONDS');

--@test: another delimiter
--@expected.message: Expected value delimiter does not match actual for source S: it is |, expected none
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='DELIMITED', value_delimiter='|', partitions=1);
ASSERT STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='DELIMITED');

--@test: another timestamp column
--@expected.message: Expected timestamp column does not match actual for source S: it is V, expected none
CREATE STREAM s (id INT KEY, v BIGINT) WITH (kafka_topic='s', value_format='JSON', timestamp='v', partitions=1);
ASSERT STREAM s (id INT KEY, v BIGINT) WITH (kafka_topic='s', value_format='JSON');

--@test: another timestamp format
--@expected.message: Expected timestamp format does not match actual for source S: it is yyyy, expected yy
CREATE STREAM s (id INT KEY, v STRING) WITH (kafka_topic='s', value_format='JSON', timestamp='v', timestamp_format='yyyy', partitions=1);
ASSERT STREAM s (id INT KEY, v STRING) WITH (kafka_topic='s', value_format='JSON', timestamp='v', timestamp_format='yy');

--@test: another wrapping
--@expected.message: Expected value serde features does not match actual for source S: it is wrap false, expected none
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', wrap_single_value=false, partitions=1);
ASSERT STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON');

--@test: another size of window
--@expected.message: Expected window does not match actual for source O: it is TUMBLING 10s, expected TUMBLING 11s
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE TABLE o AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY id;
ASSERT TABLE o (id INT PRIMARY KEY, n BIGINT) WITH (kafka_topic='O', value_format='JSON', window_type='TUMBLING', window_size='11 SECONDS');
