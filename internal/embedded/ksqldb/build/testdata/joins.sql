-- Joins: which rows meet, and what becomes of those that don't.

--@test: a left join with a grace period pads a row once its window has closed
CREATE STREAM l (id INT KEY, a STRING) WITH (kafka_topic='l', value_format='JSON', partitions=1);
CREATE STREAM r (id INT KEY, b STRING) WITH (kafka_topic='r', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT l.id, a, b FROM l LEFT JOIN r WITHIN 10 SECONDS GRACE PERIOD 5 SECONDS ON l.id = r.id;
INSERT INTO l (id, a, ROWTIME) VALUES (1, 'met', 1000);
INSERT INTO l (id, a, ROWTIME) VALUES (2, 'alone', 2000);
INSERT INTO r (id, b, ROWTIME) VALUES (1, 'in time', 11000);
INSERT INTO r (id, b, ROWTIME) VALUES (1, 'too far', 11001);
INSERT INTO r (id, b, ROWTIME) VALUES (9, 'later', 17000);
INSERT INTO r (id, b, ROWTIME) VALUES (9, 'later still', 17001);
ASSERT VALUES o (l_id, a, b, ROWTIME) VALUES (1, 'met', 'in time', 11000);
ASSERT VALUES o (l_id, a, b, ROWTIME) VALUES (2, 'alone', NULL, 2000);

--@test: a window that reaches further to one side
CREATE STREAM l (id INT KEY, a STRING) WITH (kafka_topic='l', value_format='JSON', partitions=1);
CREATE STREAM r (id INT KEY, b STRING) WITH (kafka_topic='r', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT l.id, a, b FROM l JOIN r WITHIN (1 SECONDS, 5 SECONDS) GRACE PERIOD 1 HOUR ON l.id = r.id;
INSERT INTO l (id, a, ROWTIME) VALUES (1, 'x', 10000);
INSERT INTO r (id, b, ROWTIME) VALUES (1, 'before', 8999);
INSERT INTO r (id, b, ROWTIME) VALUES (1, 'just before', 9000);
INSERT INTO r (id, b, ROWTIME) VALUES (1, 'just after', 15000);
INSERT INTO r (id, b, ROWTIME) VALUES (1, 'after', 15001);
ASSERT VALUES o (l_id, a, b, ROWTIME) VALUES (1, 'x', 'just before', 10000);
ASSERT VALUES o (l_id, a, b, ROWTIME) VALUES (1, 'x', 'just after', 15000);

--@test: a stream row meets the table as it stands
CREATE STREAM l (id INT KEY, a STRING) WITH (kafka_topic='l', value_format='JSON', partitions=1);
CREATE TABLE r (id INT PRIMARY KEY, b STRING) WITH (kafka_topic='r', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT l.id, a, b FROM l JOIN r ON l.id = r.id;
INSERT INTO l (id, a, ROWTIME) VALUES (1, 'early', 10);
INSERT INTO r (id, b, ROWTIME) VALUES (1, 'first', 20);
INSERT INTO l (id, a, ROWTIME) VALUES (1, 'x', 5);
INSERT INTO r (id, b, ROWTIME) VALUES (1, 'second', 6);
INSERT INTO l (id, a, ROWTIME) VALUES (1, 'y', 7);
ASSERT VALUES o (l_id, a, b, ROWTIME) VALUES (1, 'x', 'first', 5);
ASSERT VALUES o (l_id, a, b, ROWTIME) VALUES (1, 'y', 'second', 7);

--@test: a full join of tables
CREATE TABLE l (id INT PRIMARY KEY, a STRING) WITH (kafka_topic='l', value_format='JSON', partitions=1);
CREATE TABLE r (id INT PRIMARY KEY, b STRING) WITH (kafka_topic='r', value_format='JSON', partitions=1);
CREATE TABLE o AS SELECT ROWKEY AS id, a, b FROM l FULL OUTER JOIN r ON l.id = r.id;
INSERT INTO l (id, a, ROWTIME) VALUES (1, 'x', 10);
INSERT INTO r (id, b, ROWTIME) VALUES (1, 'y', 5);
INSERT INTO r (id, b, ROWTIME) VALUES (2, 'z', 6);
ASSERT VALUES o (id, a, b, ROWTIME) VALUES (1, 'x', NULL, 10);
ASSERT VALUES o (id, a, b, ROWTIME) VALUES (1, 'x', 'y', 10);
ASSERT VALUES o (id, a, b, ROWTIME) VALUES (2, NULL, 'z', 6);

--@test: a table joined on a column of its own
CREATE TABLE l (id INT PRIMARY KEY, f INT) WITH (kafka_topic='l', value_format='JSON', partitions=1);
CREATE TABLE r (id INT PRIMARY KEY, b STRING) WITH (kafka_topic='r', value_format='JSON', partitions=1);
CREATE TABLE o AS SELECT l.id, f, b FROM l JOIN r ON l.f = r.id;
INSERT INTO l (id, f) VALUES (2, 7);
INSERT INTO l (id, f) VALUES (1, 7);
INSERT INTO r (id, b) VALUES (7, 'seven');
INSERT INTO l (id, f) VALUES (1, 8);
INSERT INTO r (id, b) VALUES (8, 'eight');
ASSERT VALUES o (l_id, f, b) VALUES (1, 7, 'seven');
ASSERT VALUES o (l_id, f, b) VALUES (2, 7, 'seven');
ASSERT NULL VALUES o (l_id) KEY (1);
ASSERT VALUES o (l_id, f, b) VALUES (1, 8, 'eight');

--@test: three streams and tables
CREATE STREAM a (id INT KEY, x STRING) WITH (kafka_topic='a', value_format='JSON', partitions=1);
CREATE STREAM b (id INT KEY, aid INT, y STRING) WITH (kafka_topic='b', value_format='JSON', partitions=1);
CREATE TABLE c (id INT PRIMARY KEY, z STRING) WITH (kafka_topic='c', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT a.id AS id, x, y, z FROM a JOIN b WITHIN 1 MINUTE ON a.id = b.aid LEFT JOIN c ON a.id = c.id;
INSERT INTO c (id, z) VALUES (1, 'c1');
INSERT INTO a (id, x, ROWTIME) VALUES (1, 'a1', 10);
INSERT INTO b (id, aid, y, ROWTIME) VALUES (5, 1, 'b1', 20);
INSERT INTO a (id, x, ROWTIME) VALUES (2, 'a2', 30);
INSERT INTO b (id, aid, y, ROWTIME) VALUES (6, 2, 'b2', 40);
ASSERT VALUES o (id, x, y, z, ROWTIME) VALUES (1, 'a1', 'b1', 'c1', 20);
ASSERT VALUES o (id, x, y, z, ROWTIME) VALUES (2, 'a2', 'b2', NULL, 40);
