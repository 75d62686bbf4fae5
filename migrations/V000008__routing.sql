-- Who gets which records: enriched orders by the customer's level, orders by product for the inventory.
SET 'auto.offset.reset' = 'earliest';
SET 'processing.guarantee' = 'exactly_once_v2';
SET 'commit.interval.ms' = '${commit_interval_ms}';

CREATE STREAM orders_platinum WITH (KAFKA_TOPIC='platinum', VALUE_FORMAT='AVRO') AS
  SELECT id, AS_VALUE(id) AS orderid, customerid, level AS customerlevel
  FROM orders_enriched_stream WHERE level = 'platinum' PARTITION BY id EMIT CHANGES;

CREATE STREAM orders_gold WITH (KAFKA_TOPIC='gold', VALUE_FORMAT='AVRO') AS
  SELECT id, AS_VALUE(id) AS orderid, customerid, level AS customerlevel
  FROM orders_enriched_stream WHERE level = 'gold' PARTITION BY id EMIT CHANGES;

CREATE STREAM orders_silver WITH (KAFKA_TOPIC='silver', VALUE_FORMAT='AVRO') AS
  SELECT id, AS_VALUE(id) AS orderid, customerid, level AS customerlevel
  FROM orders_enriched_stream WHERE level = 'silver' PARTITION BY id EMIT CHANGES;

CREATE STREAM orders_bronze WITH (KAFKA_TOPIC='bronze', VALUE_FORMAT='AVRO') AS
  SELECT id, AS_VALUE(id) AS orderid, customerid, level AS customerlevel
  FROM orders_enriched_stream WHERE level = 'bronze' PARTITION BY id EMIT CHANGES;

-- What concerns a product, so that one instance of the inventory service sees all of it: new orders, each once, and
-- the states that orders reach later.
CREATE STREAM orders_by_product (product STRING KEY, id STRING, customerid BIGINT, state STRING, quantity INT, price DOUBLE)
  WITH (KAFKA_TOPIC='orders-by-product.v1', VALUE_FORMAT='AVRO', PARTITIONS=${partitions});
INSERT INTO orders_by_product
  SELECT product, id, customerid, 'CREATED' AS state, quantity, price
  FROM orders_new PARTITION BY product EMIT CHANGES;
INSERT INTO orders_by_product
  SELECT product, id, customerid, state, quantity, price
  FROM orders_stream WHERE state <> 'CREATED' PARTITION BY product EMIT CHANGES;
