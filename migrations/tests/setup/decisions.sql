-- V000005 alone, behind streams that take what the schemas of the real topics do not let in.
CREATE STREAM orders_new (id STRING KEY, customerid BIGINT, product STRING, quantity INT, price DOUBLE)
  WITH (KAFKA_TOPIC='given-orders', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM order_validations_stream (id STRING KEY, checktype STRING, validationresult STRING)
  WITH (KAFKA_TOPIC='given-checks', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM decided (id STRING KEY, customerid BIGINT, state STRING, product STRING, quantity INT, price DOUBLE)
  WITH (KAFKA_TOPIC='orders.v1', VALUE_FORMAT='AVRO');
RUN SCRIPT '../../V000005__validation_aggregation.sql';
