-- V000010: the state of an order never goes back.

--@test: a CREATED record that comes after the decision changes nothing
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 2, 9.5, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'FAILED', 'JUMPERS', 2, 9.5, 200);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 9, 'CREATED', 'STOCKINGS', 5, 1, 150);
ASSERT VALUES order_states (id, orderid, customerid, state, product, quantity, price, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 2, 9.5, 100);
ASSERT VALUES order_states (id, orderid, customerid, state, product, quantity, price, ROWTIME) VALUES ('a', 'a', 7, 'FAILED', 'JUMPERS', 2, 9.5, 200);
ASSERT VALUES order_states (id, orderid, customerid, state, product, quantity, price, ROWTIME) VALUES ('a', 'a', 7, 'FAILED', 'JUMPERS', 2, 9.5, 200);

--@test: nor does one that comes after it was shipped
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 2, 9.5, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 8, 'CREATED', 'UNDERPANTS', 1, 3, 110);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'VALIDATED', 'JUMPERS', 2, 9.5, 120);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'SHIPPED', 'JUMPERS', 2, 9.5, 130);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 2, 9.5, 140);
ASSERT VALUES order_states (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES order_states (id, state) VALUES ('b', 'CREATED');
ASSERT VALUES order_states (id, state) VALUES ('a', 'VALIDATED');
ASSERT VALUES order_states (id, state) VALUES ('a', 'SHIPPED');
ASSERT VALUES order_states (id, customerid, state, ROWTIME) VALUES ('a', 7, 'SHIPPED', 140);

--@test: columns and formats of the table
RUN SCRIPT 'setup/flow.sql';
ASSERT TABLE order_states (id STRING PRIMARY KEY, orderid STRING, customerid BIGINT, state STRING, product STRING, quantity INT, price DOUBLE) WITH (KAFKA_TOPIC='order-states.v1', VALUE_FORMAT='AVRO');

--@test: the first decision stays
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 2, 9.5, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'FAILED', 'JUMPERS', 2, 9.5, 200);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'VALIDATED', 'JUMPERS', 2, 9.5, 300);
ASSERT VALUES order_states (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES order_states (id, state) VALUES ('a', 'FAILED');
ASSERT VALUES order_states (id, state) VALUES ('a', 'FAILED');
