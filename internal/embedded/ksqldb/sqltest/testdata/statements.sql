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
