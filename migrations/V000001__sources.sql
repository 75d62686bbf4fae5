-- The topics that services and connectors write, as ksqlDB sees them. The source tables answer pull queries; like
-- every reader of these topics they must not see what a transaction leaves undone.
SET 'auto.offset.reset' = 'earliest';
SET 'processing.guarantee' = 'exactly_once_v2';
SET 'commit.interval.ms' = '${commit_interval_ms}';

CREATE STREAM orders_stream (id STRING KEY, customerid BIGINT, state STRING, product STRING, quantity INT, price DOUBLE)
  WITH (KAFKA_TOPIC='orders.v1', VALUE_FORMAT='AVRO');

-- The latest record of each order.
CREATE SOURCE TABLE orders_by_id (id STRING PRIMARY KEY, customerid BIGINT, state STRING, product STRING, quantity INT, price DOUBLE)
  WITH (KAFKA_TOPIC='orders.v1', VALUE_FORMAT='AVRO');

CREATE SOURCE TABLE customers_table (customerid BIGINT PRIMARY KEY, firstname STRING, lastname STRING, email STRING, address STRING, level STRING)
  WITH (KAFKA_TOPIC='customers', VALUE_FORMAT='AVRO');

CREATE STREAM order_validations_stream (id STRING KEY, orderid STRING, checktype STRING, validationresult STRING)
  WITH (KAFKA_TOPIC='order-validations.v1', VALUE_FORMAT='AVRO');

CREATE STREAM payments_stream (paymentid STRING KEY, orderid STRING, ccy STRING, amount DOUBLE)
  WITH (KAFKA_TOPIC='payments.v1', VALUE_FORMAT='AVRO');

-- Each payment by its id, so that the API knows one that it took before.
CREATE SOURCE TABLE payments_by_id (paymentid STRING PRIMARY KEY, orderid STRING, ccy STRING, amount DOUBLE)
  WITH (KAFKA_TOPIC='payments.v1', VALUE_FORMAT='AVRO');
