-- V000001: the topics as ksqlDB sees them.

--@test: columns and formats of the sources
RUN SCRIPT 'setup/flow.sql';
ASSERT STREAM orders_stream (id STRING KEY, customerid BIGINT, state STRING, product STRING, quantity INT, price DOUBLE) WITH (KAFKA_TOPIC='orders.v1', VALUE_FORMAT='AVRO');
ASSERT TABLE orders_by_id (id STRING PRIMARY KEY, customerid BIGINT, state STRING, product STRING, quantity INT, price DOUBLE) WITH (KAFKA_TOPIC='orders.v1', VALUE_FORMAT='AVRO');
ASSERT TABLE customers_table (customerid BIGINT PRIMARY KEY, firstname STRING, lastname STRING, email STRING, address STRING, level STRING) WITH (KAFKA_TOPIC='customers', VALUE_FORMAT='AVRO');
ASSERT STREAM order_validations_stream (id STRING KEY, orderid STRING, checktype STRING, validationresult STRING) WITH (KAFKA_TOPIC='order-validations.v1', VALUE_FORMAT='AVRO');
ASSERT STREAM payments_stream (paymentid STRING KEY, orderid STRING, ccy STRING, amount DOUBLE) WITH (KAFKA_TOPIC='payments.v1', VALUE_FORMAT='AVRO');
ASSERT TABLE payments_by_id (paymentid STRING PRIMARY KEY, orderid STRING, ccy STRING, amount DOUBLE) WITH (KAFKA_TOPIC='payments.v1', VALUE_FORMAT='AVRO');

--@test: what the services write is read
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 2, 9.5, 100);
INSERT INTO payments_in (paymentid, `id`, `orderId`, `ccy`, `amount`, ROWTIME) VALUES ('p', 'p', 'a', 'EUR', 19, 200);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 300);
ASSERT VALUES orders_stream (id, customerid, state, product, quantity, price, ROWTIME) VALUES ('a', 7, 'CREATED', 'JUMPERS', 2, 9.5, 100);
ASSERT VALUES payments_stream (paymentid, orderid, ccy, amount, ROWTIME) VALUES ('p', 'a', 'EUR', 19, 200);
ASSERT VALUES customers_table (customerid, firstname, lastname, email, address, level, ROWTIME) VALUES (7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 300);
