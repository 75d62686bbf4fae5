-- One e-mail for each new order and payment that come within a minute of each other, to a customer we know.
SET 'auto.offset.reset' = 'earliest';
SET 'processing.guarantee' = 'exactly_once_v2';
SET 'commit.interval.ms' = '${commit_interval_ms}';

CREATE STREAM payments_by_order WITH (KAFKA_TOPIC='payments-by-order.v1', VALUE_FORMAT='AVRO') AS
  SELECT orderid, AS_VALUE(paymentid) AS paymentid, ccy, amount
  FROM payments_stream
  PARTITION BY orderid
  EMIT CHANGES;

CREATE STREAM paid_orders WITH (KAFKA_TOPIC='paid-orders.v1', VALUE_FORMAT='AVRO') AS
  SELECT o.id AS id,
    AS_VALUE(o.id) AS orderid,
    o.customerid AS customerid,
    o.product AS product,
    o.quantity AS quantity,
    o.price AS price,
    p.paymentid AS paymentid,
    p.ccy AS ccy,
    p.amount AS amount
  FROM orders_new o
  INNER JOIN payments_by_order p WITHIN 1 MINUTE GRACE PERIOD 1 MINUTE ON o.id = p.orderid
  EMIT CHANGES;

CREATE STREAM emails WITH (KAFKA_TOPIC='emails.v1', VALUE_FORMAT='AVRO') AS
  SELECT p.customerid AS customerid,
    p.orderid AS orderid,
    p.product AS product,
    p.quantity AS quantity,
    p.price AS price,
    p.paymentid AS paymentid,
    p.ccy AS ccy,
    p.amount AS amount,
    c.firstname AS firstname,
    c.lastname AS lastname,
    c.email AS email,
    c.address AS address,
    c.level AS level
  FROM paid_orders p
  INNER JOIN customers_table c ON p.customerid = c.customerid
  EMIT CHANGES;
