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

-- Every record of an order, so that one instance of the inventory service sees all that concerns a product.
CREATE STREAM orders_by_product WITH (KAFKA_TOPIC='orders-by-product.v1', VALUE_FORMAT='AVRO') AS
  SELECT product, id, customerid, state, quantity, price
  FROM orders_stream PARTITION BY product EMIT CHANGES;
