-- Tables: what a change of a row does to what is made of it.

--@test: a row that moves to another group leaves the old one first
CREATE TABLE t (id INT PRIMARY KEY, g STRING, v INT) WITH (kafka_topic='t', value_format='JSON', partitions=1);
CREATE TABLE o AS SELECT g, SUM(v) AS total, COUNT(*) AS n FROM t GROUP BY g;
INSERT INTO t (id, g, v) VALUES (1, 'a', 1);
INSERT INTO t (id, g, v) VALUES (2, 'a', 2);
INSERT INTO t (id, g, v) VALUES (1, 'b', 4);
INSERT INTO t (id, g, v) VALUES (2, 'a', 8);
ASSERT VALUES o (g, total, n) VALUES ('a', 1, 1);
ASSERT VALUES o (g, total, n) VALUES ('a', 3, 2);
ASSERT VALUES o (g, total, n) VALUES ('a', 2, 1);
ASSERT VALUES o (g, total, n) VALUES ('b', 4, 1);
ASSERT VALUES o (g, total, n) VALUES ('a', 8, 1);

--@test: a row that no longer passes is deleted, one that never passed is not
CREATE TABLE t (id INT PRIMARY KEY, v INT) WITH (kafka_topic='t', value_format='JSON', partitions=1);
CREATE TABLE o AS SELECT id, v FROM t WHERE v > 10;
INSERT INTO t (id, v) VALUES (1, 1);
INSERT INTO t (id, v) VALUES (2, 20);
INSERT INTO t (id, v) VALUES (2, 2);
INSERT INTO t (id, v) VALUES (2, 3);
INSERT INTO t (id, v) VALUES (3, 30);
ASSERT VALUES o (id, v) VALUES (2, 20);
ASSERT NULL VALUES o (id) KEY (2);
ASSERT VALUES o (id, v) VALUES (3, 30);

--@test: the time of a row from its column
CREATE STREAM s (id INT KEY, happened STRING) WITH (kafka_topic='s', value_format='JSON', partitions=1, timestamp='happened', timestamp_format='yyyy-MM-dd HH:mm:ssX');
CREATE STREAM o AS SELECT id, happened FROM s;
INSERT INTO s (id, happened, ROWTIME) VALUES (1, '1970-01-01 00:00:02Z', 99);
INSERT INTO s (id, happened, ROWTIME) VALUES (2, 'nonsense', 99);
INSERT INTO s (id, happened, ROWTIME) VALUES (3, '1970-01-01 00:00:03Z', 99);
ASSERT VALUES o (id, ROWTIME) VALUES (1, 2000);
ASSERT VALUES o (id, ROWTIME) VALUES (3, 3000);

--@test: one row per element of the longest array
CREATE STREAM s (id INT KEY, a ARRAY<INT>, b ARRAY<STRING>) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT id, EXPLODE(a) AS x, EXPLODE(b) AS y FROM s;
INSERT INTO s (id, a, b) VALUES (1, ARRAY[1, 2], ARRAY['p']);
INSERT INTO s (id, a, b) VALUES (2, NULL, NULL);
INSERT INTO s (id, a, b) VALUES (3, ARRAY[3], ARRAY['q']);
ASSERT VALUES o (id, x, y) VALUES (1, 1, 'p');
ASSERT VALUES o (id, x, y) VALUES (1, 2, NULL);
ASSERT VALUES o (id, x, y) VALUES (3, 3, 'q');

--@test: a new key, and none where it is null
CREATE STREAM s (id INT KEY, g STRING, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT g, id, v FROM s PARTITION BY g;
INSERT INTO s (id, g, v) VALUES (1, 'a', 1);
INSERT INTO s (id, v) VALUES (2, 2);
ASSERT VALUES o (g, id, v) VALUES ('a', 1, 1);
ASSERT VALUES o (g, id, v) VALUES (NULL, 2, 2);
