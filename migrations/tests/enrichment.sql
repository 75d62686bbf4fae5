-- V000006: new orders with what is known of their customer, and who orders suspiciously often.

--@test: an order gets the names and the level that its customer has then
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 200);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 7, 'CREATED', 'JUMPERS', 1, 10, 300);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Anna', 'Able', 'ann@example.com', '1 Main St', 'platinum', 400);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 7, 'CREATED', 'JUMPERS', 1, 10, 500);
ASSERT VALUES orders_enriched_stream (id, customerid, firstname, level) VALUES ('a', 7, NULL, NULL);
ASSERT VALUES orders_enriched_stream (id, customerid, firstname, level) VALUES ('b', 7, 'Ann', 'gold');
ASSERT VALUES orders_enriched_stream (id, customerid, firstname, level) VALUES ('c', 7, 'Anna', 'platinum');

--@test: a customer with more than 2 orders in 30 seconds is listed
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('o0', 'o0', 7, 'CREATED', 'JUMPERS', 1, 10, 30000);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('o1', 'o1', 7, 'CREATED', 'JUMPERS', 1, 10, 30001);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('o2', 'o2', 7, 'CREATED', 'JUMPERS', 1, 10, 30002);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('o3', 'o3', 7, 'CREATED', 'JUMPERS', 1, 10, 30003);
ASSERT VALUES fraud_order (customerid, lastname, firstname, counts, WINDOWSTART) VALUES (7, 'Able', 'Ann', 3, 30000);
ASSERT VALUES fraud_order (customerid, lastname, firstname, counts, WINDOWSTART) VALUES (7, 'Able', 'Ann', 4, 30000);

--@test: 30 seconds begin at the full half minute
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 29999);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 7, 'CREATED', 'JUMPERS', 1, 10, 30000);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 7, 'CREATED', 'JUMPERS', 1, 10, 59999);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('d', 'd', 7, 'CREATED', 'JUMPERS', 1, 10, 60000);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('e', 'e', 7, 'CREATED', 'JUMPERS', 1, 10, 45000);
ASSERT VALUES fraud_order (customerid, lastname, firstname, counts, WINDOWSTART) VALUES (7, 'Able', 'Ann', 3, 30000);

--@test: 2 orders are not enough, nor is a third in the next half minute
--@expected.message: all records have already been read: 0 of topic FRAUD_ORDER
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (7, 7, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 7, 'CREATED', 'JUMPERS', 1, 10, 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 7, 'CREATED', 'JUMPERS', 1, 10, 29999);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 7, 'CREATED', 'JUMPERS', 1, 10, 30000);
ASSERT VALUES fraud_order (customerid, lastname, firstname, counts, WINDOWSTART) VALUES (7, 'Able', 'Ann', 3, 0);

--@test: customers that nobody knows are not listed
--@expected.message: all records have already been read: 0 of topic FRAUD_ORDER
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('o0', 'o0', 8, 'CREATED', 'JUMPERS', 1, 10, 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('o1', 'o1', 8, 'CREATED', 'JUMPERS', 1, 10, 1);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('o2', 'o2', 8, 'CREATED', 'JUMPERS', 1, 10, 2);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('o3', 'o3', 8, 'CREATED', 'JUMPERS', 1, 10, 3);
ASSERT VALUES fraud_order (customerid, lastname, firstname, counts, WINDOWSTART) VALUES (8, 'Able', 'Ann', 3, 0);
