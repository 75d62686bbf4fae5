-- V000009: an order ships once.

--@test: the first shipment makes the order SHIPPED
RUN SCRIPT 'setup/flow.sql';
INSERT INTO shipments_in (id, `orderId`, `customerId`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'JUMPERS', 2, 9.5, 100);
INSERT INTO shipments_in (id, `orderId`, `customerId`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 2, 'STOCKINGS', 1, 10, 200);
ASSERT VALUES orders_stream (id, customerid, state, product, quantity, price, ROWTIME) VALUES ('a', 1, 'SHIPPED', 'JUMPERS', 2, 9.5, 100);
ASSERT VALUES orders_stream (id, customerid, state, product, quantity, price, ROWTIME) VALUES ('b', 2, 'SHIPPED', 'STOCKINGS', 1, 10, 200);
ASSERT VALUES orders_by_product (product, id, state, quantity) VALUES ('JUMPERS', 'a', 'SHIPPED', 2);

--@test: a shipment that is repeated changes nothing
--@expected.message: all records have already been read: 1 of topic orders.v1
RUN SCRIPT 'setup/flow.sql';
INSERT INTO shipments_in (id, `orderId`, `customerId`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'JUMPERS', 2, 9.5, 100);
INSERT INTO shipments_in (id, `orderId`, `customerId`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'JUMPERS', 2, 9.5, 200);
INSERT INTO shipments_in (id, `orderId`, `customerId`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'JUMPERS', 3, 1, 50);
ASSERT VALUES orders_stream (id, state, quantity) VALUES ('a', 'SHIPPED', 2);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'SHIPPED');

--@test: the first shipment says what was shipped
RUN SCRIPT 'setup/flow.sql';
INSERT INTO shipments_in (id, `orderId`, `customerId`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'JUMPERS', 2, 9.5, 100);
INSERT INTO shipments_in (id, `orderId`, `customerId`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'STOCKINGS', 3, 1.5, 200);
ASSERT VALUES order_shipments (id, customerid, product, quantity, price, n, ROWTIME) VALUES ('a', 1, 'JUMPERS', 2, 9.5, 1, 100);
ASSERT VALUES order_shipments (id, customerid, product, quantity, price, n, ROWTIME) VALUES ('a', 1, 'JUMPERS', 2, 9.5, 2, 200);
