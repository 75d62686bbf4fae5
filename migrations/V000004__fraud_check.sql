-- Has the customer ordered for 2000 or more, this order included, in a session that ends after an hour without an order?
SET 'auto.offset.reset' = 'earliest';
SET 'processing.guarantee' = 'exactly_once_v2';
SET 'commit.interval.ms' = '${commit_interval_ms}';
-- Each order must leave its own row in the topic.
SET 'cache.max.bytes.buffering' = '0';

-- The order that changed a session last is the one that the row is about. An order whose quantity or price is out of
-- range adds nothing: it fails by its details. The topic exists before this table, with cleanup.policy=delete.
CREATE TABLE fraud_totals WITH (KAFKA_TOPIC='fraud-totals.v1', VALUE_FORMAT='AVRO') AS
  SELECT customerid,
    LATEST_BY_OFFSET(id) AS orderid,
    SUM(CASE WHEN quantity > 0 AND price >= 0 THEN quantity * price ELSE CAST(0 AS DOUBLE) END) AS total
  FROM orders_new WINDOW SESSION (1 HOUR)
  GROUP BY customerid
  EMIT CHANGES;

-- Without key columns and window: a windowed source cannot be re-partitioned.
CREATE STREAM fraud_totals_stream (orderid STRING, total DOUBLE)
  WITH (KAFKA_TOPIC='fraud-totals.v1', VALUE_FORMAT='AVRO');

-- Sessions that grow or merge leave a deletion of their old row, which has no order.
INSERT INTO order_validations_out
  SELECT orderid AS id,
    AS_VALUE(orderid) AS `orderId`,
    'FRAUD_CHECK' AS `checkType`,
    CASE WHEN total < 2000 THEN 'PASS' ELSE 'FAIL' END AS `validationResult`
  FROM fraud_totals_stream
  WHERE orderid IS NOT NULL
  PARTITION BY orderid
  EMIT CHANGES;
