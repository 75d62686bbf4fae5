-- Shipping: the first shipment of an order makes it SHIPPED, and every later one nothing. So it does not matter how
-- many instances of the API take a request to ship, nor how often one is repeated.
SET 'auto.offset.reset' = 'earliest';
SET 'processing.guarantee' = 'exactly_once_v2';
SET 'commit.interval.ms' = '${commit_interval_ms}';
-- Each shipment must leave its own row in the topic.
SET 'cache.max.bytes.buffering' = '0';

-- What the API writes, of orders that it has seen VALIDATED: nothing but SHIPPED can come after that.
CREATE STREAM shipments_stream (id STRING KEY, customerid BIGINT, product STRING, quantity INT, price DOUBLE)
  WITH (KAFKA_TOPIC='shipments.v1', VALUE_FORMAT='AVRO');

-- The topic exists before this table, with cleanup.policy=delete: compaction would remove the rows that decide.
CREATE TABLE order_shipments WITH (KAFKA_TOPIC='order-shipments.v1', VALUE_FORMAT='AVRO') AS
  SELECT id,
    EARLIEST_BY_OFFSET(customerid) AS customerid,
    EARLIEST_BY_OFFSET(product) AS product,
    EARLIEST_BY_OFFSET(quantity) AS quantity,
    EARLIEST_BY_OFFSET(price) AS price,
    COUNT(*) AS n
  FROM shipments_stream
  GROUP BY id
  EMIT CHANGES;

CREATE STREAM order_shipments_stream (id STRING KEY, customerid BIGINT, product STRING, quantity INT, price DOUBLE, n BIGINT)
  WITH (KAFKA_TOPIC='order-shipments.v1', VALUE_FORMAT='AVRO');

INSERT INTO orders_out
  SELECT id,
    AS_VALUE(id) AS `id`,
    customerid AS `customerId`,
    'SHIPPED' AS `state`,
    product AS `product`,
    quantity AS `quantity`,
    price AS `price`
  FROM order_shipments_stream
  WHERE n = 1
  EMIT CHANGES;
