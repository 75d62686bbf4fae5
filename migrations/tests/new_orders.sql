-- V000002: what counts as a new order.

--@test: an order that is posted again is new once
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 2, 9.5, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'UNDERPANTS', 3, 1.5, 200);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 2, 'CREATED', 'STOCKINGS', 1, 10, 300);
ASSERT VALUES orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('a', 1, 'JUMPERS', 2, 9.5, 100);
ASSERT VALUES orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('b', 2, 'STOCKINGS', 1, 10, 300);
ASSERT VALUES order_submissions (id, customerid, product, quantity, price, n) VALUES ('a', 1, 'JUMPERS', 2, 9.5, 1);
ASSERT VALUES order_submissions (id, customerid, product, quantity, price, n) VALUES ('a', 1, 'JUMPERS', 2, 9.5, 2);

--@test: an order is new by its record CREATED only
--@expected.message: all records have already been read: 0 of topic orders-new.v1
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'SHIPPED', 'JUMPERS', 1, 10, 100);
ASSERT VALUES orders_new (id) VALUES ('a');
