-- V000004: 2000 and more within a session that ends after an hour without an order.

--@test: one order of 2000 fails, one of a cent less passes
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 2, 999.995, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 2, 'CREATED', 'JUMPERS', 2, 1000, 200);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 3, 'CREATED', 'JUMPERS', 1, 2000.01, 300);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'FRAUD_CHECK', 'FAIL');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('c', 'c', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('c', 'c', 'FRAUD_CHECK', 'FAIL');

--@test: orders add up within a session
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 1500, 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 1, 'CREATED', 'JUMPERS', 1, 499.99, 1000);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 1, 'CREATED', 'JUMPERS', 1, 0.01, 2000);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('d', 'd', 2, 'CREATED', 'JUMPERS', 1, 1500, 3000);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('c', 'c', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('c', 'c', 'FRAUD_CHECK', 'FAIL');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('d', 'd', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('d', 'd', 'FRAUD_CHECK', 'PASS');

--@test: an order an hour after the last one still belongs to its session
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 1500, 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 1, 'CREATED', 'JUMPERS', 1, 500, 3600000);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'FRAUD_CHECK', 'FAIL');
ASSERT VALUES fraud_totals (customerid, orderid, total, WINDOWSTART, WINDOWEND) VALUES (1, 'a', 1500, 0, 0);
ASSERT NULL VALUES fraud_totals (customerid) KEY (1);
ASSERT VALUES fraud_totals (customerid, orderid, total, WINDOWSTART, WINDOWEND) VALUES (1, 'b', 2000, 0, 3600000);

--@test: an order a millisecond later begins a new session
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 1500, 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 1, 'CREATED', 'JUMPERS', 1, 500, 3600001);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES fraud_totals (customerid, orderid, total, WINDOWSTART, WINDOWEND) VALUES (1, 'a', 1500, 0, 0);
ASSERT VALUES fraud_totals (customerid, orderid, total, WINDOWSTART, WINDOWEND) VALUES (1, 'b', 500, 3600001, 3600001);

--@test: each order extends the session
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 700, 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 1, 'CREATED', 'JUMPERS', 1, 700, 3600000);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 1, 'CREATED', 'JUMPERS', 1, 700, 7200000);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('c', 'c', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('c', 'c', 'FRAUD_CHECK', 'FAIL');

--@test: a late order joins two sessions into one
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 900, 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 1, 'CREATED', 'JUMPERS', 1, 900, 5400000);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 1, 'CREATED', 'JUMPERS', 1, 300, 1800000);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('c', 'c', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('c', 'c', 'FRAUD_CHECK', 'FAIL');
ASSERT VALUES fraud_totals (customerid, total, WINDOWSTART) VALUES (1, 900, 0);
ASSERT VALUES fraud_totals (customerid, total, WINDOWSTART) VALUES (1, 900, 5400000);
ASSERT NULL VALUES fraud_totals (customerid) KEY (1);
ASSERT NULL VALUES fraud_totals (customerid) KEY (1);
ASSERT VALUES fraud_totals (customerid, total, WINDOWSTART, WINDOWEND) VALUES (1, 2100, 0, 5400000);

--@test: an order that fails by its details adds nothing
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 1500, 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 1, 'CREATED', 'JUMPERS', -1, 1500, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 1, 'CREATED', 'JUMPERS', 1, -1500, 200);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('d', 'd', 1, 'CREATED', 'JUMPERS', 1, 499, 300);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('e', 'e', 1, 'CREATED', 'JUMPERS', 1, 600, 400);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'ORDER_DETAILS_CHECK', 'FAIL');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('c', 'c', 'ORDER_DETAILS_CHECK', 'FAIL');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('c', 'c', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('d', 'd', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('d', 'd', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('e', 'e', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('e', 'e', 'FRAUD_CHECK', 'FAIL');

--@test: an order that is posted again counts once
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 1500, 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 1500, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 1, 'CREATED', 'JUMPERS', 1, 400, 200);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'FRAUD_CHECK', 'PASS');

--@test: a price just below nothing takes nothing off
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, -1, 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 1, 'CREATED', 'JUMPERS', 1, 2000, 100);
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'ORDER_DETAILS_CHECK', 'FAIL');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('a', 'a', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_validations_stream (id, orderid, checktype, validationresult) VALUES ('b', 'b', 'FRAUD_CHECK', 'FAIL');
