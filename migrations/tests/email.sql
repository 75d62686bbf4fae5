-- V000007: one e-mail for each new order and payment within a minute of each other.

--@test: an order and its payment make one e-mail
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 1000);
INSERT INTO payments_in (paymentid, `id`, `orderId`, `ccy`, `amount`, ROWTIME) VALUES ('p', 'p', 'a', 'EUR', 10, 2000);
ASSERT VALUES payments_by_order (orderid, paymentid, ccy, amount, ROWTIME) VALUES ('a', 'p', 'EUR', 10, 2000);
ASSERT VALUES paid_orders (id, orderid, customerid, product, quantity, price, paymentid, ccy, amount, ROWTIME) VALUES ('a', 'a', 7, 'JUMPERS', 1, 10, 'p', 'EUR', 10, 2000);
ASSERT VALUES emails (customerid, orderid, product, quantity, price, paymentid, ccy, amount, firstname, lastname, email, address, level) VALUES (7, 'a', 'JUMPERS', 1, 10, 'p', 'EUR', 10, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold');

--@test: the payment may come first
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO payments_in (paymentid, `id`, `orderId`, `ccy`, `amount`, ROWTIME) VALUES ('p', 'p', 'a', 'EUR', 10, 1000);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 2000);
ASSERT VALUES emails (orderid, paymentid, customerid, firstname, email, level, amount) VALUES ('a', 'p', 7, 'Ann', 'ann@example.com', 'gold', 10);

--@test: a minute apart is together
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 1000);
INSERT INTO payments_in (paymentid, `id`, `orderId`, `ccy`, `amount`, ROWTIME) VALUES ('p', 'p', 'a', 'EUR', 10, 61000);
INSERT INTO payments_in (paymentid, `id`, `orderId`, `ccy`, `amount`, ROWTIME) VALUES ('q', 'q', 'b', 'EUR', 10, 100000);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 7, 'CREATED', 'JUMPERS', 1, 10, 160000);
ASSERT VALUES emails (orderid, paymentid, customerid, firstname, email, level, amount) VALUES ('a', 'p', 7, 'Ann', 'ann@example.com', 'gold', 10);
ASSERT VALUES emails (orderid, paymentid, customerid, firstname, email, level, amount) VALUES ('b', 'q', 7, 'Ann', 'ann@example.com', 'gold', 10);

--@test: a millisecond more is not
--@expected.message: all records have already been read: 0 of topic emails.v1
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 1000);
INSERT INTO payments_in (paymentid, `id`, `orderId`, `ccy`, `amount`, ROWTIME) VALUES ('p', 'p', 'a', 'EUR', 10, 61001);
ASSERT VALUES emails (orderid, paymentid, customerid, firstname, email, level, amount) VALUES ('a', 'p', 7, 'Ann', 'ann@example.com', 'gold', 10);

--@test: an order that is posted again is not mailed again
--@expected.message: all records have already been read: 1 of topic emails.v1
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 1000);
INSERT INTO payments_in (paymentid, `id`, `orderId`, `ccy`, `amount`, ROWTIME) VALUES ('p', 'p', 'a', 'EUR', 10, 2000);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 3000);
ASSERT VALUES emails (orderid, paymentid, customerid, firstname, email, level, amount) VALUES ('a', 'p', 7, 'Ann', 'ann@example.com', 'gold', 10);
ASSERT VALUES emails (orderid, paymentid, customerid, firstname, email, level, amount) VALUES ('a', 'p', 7, 'Ann', 'ann@example.com', 'gold', 10);

--@test: customers that nobody knows get no e-mail
--@expected.message: all records have already been read: 0 of topic emails.v1
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 1000);
INSERT INTO payments_in (paymentid, `id`, `orderId`, `ccy`, `amount`, ROWTIME) VALUES ('p', 'p', 'a', 'EUR', 10, 2000);
ASSERT VALUES emails (orderid, paymentid, customerid, firstname, email, level, amount) VALUES ('a', 'p', 7, 'Ann', 'ann@example.com', 'gold', 10);

--@test: each payment of an order is mailed
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 1000);
INSERT INTO payments_in (paymentid, `id`, `orderId`, `ccy`, `amount`, ROWTIME) VALUES ('p', 'p', 'a', 'EUR', 10, 2000);
INSERT INTO payments_in (paymentid, `id`, `orderId`, `ccy`, `amount`, ROWTIME) VALUES ('q', 'q', 'a', 'EUR', 10, 3000);
ASSERT VALUES emails (orderid, paymentid, customerid, firstname, email, level, amount) VALUES ('a', 'p', 7, 'Ann', 'ann@example.com', 'gold', 10);
ASSERT VALUES emails (orderid, paymentid, customerid, firstname, email, level, amount) VALUES ('a', 'q', 7, 'Ann', 'ann@example.com', 'gold', 10);

--@test: an order that is not paid for gets no e-mail, however long it waits
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 1000);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 7, 'CREATED', 'JUMPERS', 1, 10, 1000000);
INSERT INTO payments_in (paymentid, `id`, `orderId`, `ccy`, `amount`, ROWTIME) VALUES ('q', 'q', 'b', 'EUR', 10, 1000500);
ASSERT VALUES emails (orderid, paymentid) VALUES ('b', 'q');

--@test: a payment may come when orders have gone on for almost three minutes
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 1000);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 7, 'CREATED', 'JUMPERS', 1, 10, 180999);
INSERT INTO payments_in (paymentid, `id`, `orderId`, `ccy`, `amount`, ROWTIME) VALUES ('p', 'p', 'a', 'EUR', 10, 1000);
ASSERT VALUES emails (orderid, paymentid) VALUES ('a', 'p');

--@test: with three minutes it comes too late
--@expected.message: all records have already been read: 0 of topic emails.v1
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 1000);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 7, 'CREATED', 'JUMPERS', 1, 10, 181000);
INSERT INTO payments_in (paymentid, `id`, `orderId`, `ccy`, `amount`, ROWTIME) VALUES ('p', 'p', 'a', 'EUR', 10, 1000);
ASSERT VALUES emails (orderid, paymentid) VALUES ('a', 'p');
