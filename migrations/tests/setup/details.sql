-- V000003 alone, behind a stream that takes what the schemas of the real topics do not let in.
CREATE STREAM orders_new (id STRING KEY, customerid BIGINT, product STRING, quantity INT, price DOUBLE)
  WITH (KAFKA_TOPIC='given-orders', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM checked (id STRING KEY, orderid STRING, checktype STRING, validationresult STRING)
  WITH (KAFKA_TOPIC='order-validations.v1', VALUE_FORMAT='AVRO');
RUN SCRIPT '../../V000003__order_details_check.sql';
