-- V000003: is the order's content one that can be delivered?

--@test: quantity, price and product decide
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('good', 'good', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('free', 'free', 2, 'CREATED', 'JUMPERS', 1, 0, 200);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('none', 'none', 3, 'CREATED', 'JUMPERS', 0, 10, 300);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('less', 'less', 4, 'CREATED', 'JUMPERS', -1, 10, 400);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('paid', 'paid', 5, 'CREATED', 'JUMPERS', 1, -0.01, 500);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('socks', 'socks', 6, 'CREATED', 'STOCKINGS', 1, 10, 600);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('pants', 'pants', 7, 'CREATED', 'UNDERPANTS', 1, 10, 700);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('good', 'good', 'ORDER_DETAILS_CHECK', 'PASS', 100);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('good', 'good', 'FRAUD_CHECK', 'PASS', 100);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('free', 'free', 'ORDER_DETAILS_CHECK', 'PASS', 200);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('free', 'free', 'FRAUD_CHECK', 'PASS', 200);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('none', 'none', 'ORDER_DETAILS_CHECK', 'FAIL', 300);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('none', 'none', 'FRAUD_CHECK', 'PASS', 300);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('less', 'less', 'ORDER_DETAILS_CHECK', 'FAIL', 400);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('less', 'less', 'FRAUD_CHECK', 'PASS', 400);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('paid', 'paid', 'ORDER_DETAILS_CHECK', 'FAIL', 500);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('paid', 'paid', 'FRAUD_CHECK', 'PASS', 500);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('socks', 'socks', 'ORDER_DETAILS_CHECK', 'PASS', 600);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('socks', 'socks', 'FRAUD_CHECK', 'PASS', 600);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('pants', 'pants', 'ORDER_DETAILS_CHECK', 'PASS', 700);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult, ROWTIME) VALUES ('pants', 'pants', 'FRAUD_CHECK', 'PASS', 700);

--@test: the check is written by the registered schema
RUN SCRIPT 'setup/flow.sql';
ASSERT STREAM order_validations_out (id STRING KEY)
  WITH (KAFKA_TOPIC='order-validations.v1', VALUE_FORMAT='AVRO', VALUE_SCHEMA_ID=${validation_schema_id});

--@test: a product that nobody sells, or none
RUN SCRIPT 'setup/details.sql';
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('a', 1, 'SOCKS', 1, 10, 100);
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('b', 1, NULL, 1, 10, 200);
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('c', 1, 'JUMPERS', NULL, 10, 300);
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('d', 1, 'JUMPERS', 1, NULL, 400);
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('e', 1, 'JUMPERS', 1, 10, 500);
ASSERT VALUES checked (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'ORDER_DETAILS_CHECK', 'FAIL');
ASSERT VALUES checked (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'ORDER_DETAILS_CHECK', 'FAIL');
ASSERT VALUES checked (id, orderid, checktype, validationresult) VALUES ('c', 'c', 'ORDER_DETAILS_CHECK', 'FAIL');
ASSERT VALUES checked (id, orderid, checktype, validationresult) VALUES ('d', 'd', 'ORDER_DETAILS_CHECK', 'FAIL');
ASSERT VALUES checked (id, orderid, checktype, validationresult) VALUES ('e', 'e', 'ORDER_DETAILS_CHECK', 'PASS');
