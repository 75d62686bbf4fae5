-- A new order is the first CREATED record of its id. What comes later under the same id, with whatever content, ends
-- here: everything downstream reads orders_new.
SET 'auto.offset.reset' = 'earliest';
SET 'processing.guarantee' = 'exactly_once_v2';
SET 'commit.interval.ms' = '${commit_interval_ms}';
-- Every change of the table must reach its topic: a cache would swallow the change in which n is 1.
SET 'cache.max.bytes.buffering' = '0';

-- The topic exists before this table, with cleanup.policy=delete: compaction would remove the rows that decide.
CREATE TABLE order_submissions WITH (KAFKA_TOPIC='order-submissions.v1', VALUE_FORMAT='AVRO') AS
  SELECT id,
    EARLIEST_BY_OFFSET(customerid) AS customerid,
    EARLIEST_BY_OFFSET(product) AS product,
    EARLIEST_BY_OFFSET(quantity) AS quantity,
    EARLIEST_BY_OFFSET(price) AS price,
    COUNT(*) AS n
  FROM orders_stream
  WHERE state = 'CREATED'
  GROUP BY id
  EMIT CHANGES;

CREATE STREAM order_submissions_stream (id STRING KEY, customerid BIGINT, product STRING, quantity INT, price DOUBLE, n BIGINT)
  WITH (KAFKA_TOPIC='order-submissions.v1', VALUE_FORMAT='AVRO');

CREATE STREAM orders_new WITH (KAFKA_TOPIC='orders-new.v1', VALUE_FORMAT='AVRO') AS
  SELECT id, customerid, product, quantity, price
  FROM order_submissions_stream
  WHERE n = 1
  EMIT CHANGES;
