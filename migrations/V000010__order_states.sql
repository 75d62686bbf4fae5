-- The state of each order, which never goes back. Of two instances of the API that take the same id at the same moment,
-- one may get its CREATED record through only after the order is decided: the latest record of orders.v1 is no longer
-- the order's state then. Who looks an order up reads this table, and the search index is made of its topic.
SET 'auto.offset.reset' = 'earliest';
SET 'processing.guarantee' = 'exactly_once_v2';
SET 'commit.interval.ms' = '${commit_interval_ms}';
-- The topic has a row for each record of orders.v1, at the same place.
SET 'cache.max.bytes.buffering' = '0';

-- The first record of an order is the order. SHIPPED comes once and after VALIDATED, the decision comes once.
CREATE TABLE order_states WITH (KAFKA_TOPIC='order-states.v1', VALUE_FORMAT='AVRO') AS
  SELECT id,
    EARLIEST_BY_OFFSET(id) AS orderid,
    EARLIEST_BY_OFFSET(customerid) AS customerid,
    COALESCE(EARLIEST_BY_OFFSET(CASE WHEN state = 'SHIPPED' THEN state END),
      EARLIEST_BY_OFFSET(CASE WHEN state <> 'CREATED' THEN state END), 'CREATED') AS state,
    EARLIEST_BY_OFFSET(product) AS product,
    EARLIEST_BY_OFFSET(quantity) AS quantity,
    EARLIEST_BY_OFFSET(price) AS price
  FROM orders_stream
  GROUP BY id
  EMIT CHANGES;
