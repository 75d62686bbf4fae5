-- New orders with what is known of their customer, and who orders suspiciously often.
SET 'auto.offset.reset' = 'earliest';
SET 'processing.guarantee' = 'exactly_once_v2';
SET 'commit.interval.ms' = '${commit_interval_ms}';

-- An order of an unknown customer passes too; its names and level are null.
CREATE STREAM orders_enriched_stream WITH (KAFKA_TOPIC='orders-enriched.v1', VALUE_FORMAT='AVRO') AS
  SELECT o.customerid AS customerid,
    AS_VALUE(o.id) AS id,
    c.firstname AS firstname,
    c.lastname AS lastname,
    c.level AS level,
    o.product AS product,
    o.quantity AS quantity,
    o.price AS price
  FROM orders_new o
  LEFT JOIN customers_table c ON o.customerid = c.customerid
  EMIT CHANGES;

-- More than 2 new orders in 30 seconds. A null name is no group, so unknown customers are not listed.
CREATE TABLE fraud_order WITH (KEY_FORMAT='JSON') AS
  SELECT customerid, lastname, firstname, COUNT(*) AS counts
  FROM orders_enriched_stream WINDOW TUMBLING (SIZE 30 SECONDS)
  GROUP BY customerid, lastname, firstname
  HAVING COUNT(*) > 2
  EMIT CHANGES;
