-- V000008: who gets which records.

--@test: enriched orders go by the level of their customer
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (1, 1, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'platinum', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (2, 2, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (3, 3, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'silver', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (4, 4, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'bronze', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 2, 'CREATED', 'JUMPERS', 1, 10, 101);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 3, 'CREATED', 'JUMPERS', 1, 10, 102);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('d', 'd', 4, 'CREATED', 'JUMPERS', 1, 10, 103);
ASSERT VALUES orders_platinum (id, orderid, customerid, customerlevel) VALUES ('a', 'a', 1, 'platinum');
ASSERT VALUES orders_gold (id, orderid, customerid, customerlevel) VALUES ('b', 'b', 2, 'gold');
ASSERT VALUES orders_silver (id, orderid, customerid, customerlevel) VALUES ('c', 'c', 3, 'silver');
ASSERT VALUES orders_bronze (id, orderid, customerid, customerlevel) VALUES ('d', 'd', 4, 'bronze');

--@test: no other order is platinum
--@expected.message: all records have already been read: 0 of topic platinum
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (1, 1, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'none', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (2, 2, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (3, 3, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'silver', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (4, 4, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'bronze', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 2, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 3, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('d', 'd', 4, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('e', 'e', 5, 'CREATED', 'JUMPERS', 1, 10, 100);
ASSERT VALUES orders_platinum (id, orderid, customerid, customerlevel) VALUES ('a', 'a', 1, 'platinum');

--@test: no other order is gold
--@expected.message: all records have already been read: 0 of topic gold
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (1, 1, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'none', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (2, 2, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'platinum', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (3, 3, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'silver', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (4, 4, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'bronze', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 2, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 3, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('d', 'd', 4, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('e', 'e', 5, 'CREATED', 'JUMPERS', 1, 10, 100);
ASSERT VALUES orders_gold (id, orderid, customerid, customerlevel) VALUES ('a', 'a', 1, 'gold');

--@test: no other order is silver
--@expected.message: all records have already been read: 0 of topic silver
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (1, 1, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'none', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (2, 2, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'platinum', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (3, 3, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (4, 4, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'bronze', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 2, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 3, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('d', 'd', 4, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('e', 'e', 5, 'CREATED', 'JUMPERS', 1, 10, 100);
ASSERT VALUES orders_silver (id, orderid, customerid, customerlevel) VALUES ('a', 'a', 1, 'silver');

--@test: no other order is bronze
--@expected.message: all records have already been read: 0 of topic bronze
RUN SCRIPT 'setup/flow.sql';
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (1, 1, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'none', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (2, 2, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'platinum', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (3, 3, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'gold', 0);
INSERT INTO customers_in (customerid, `id`, `firstName`, `lastName`, `email`, `address`, `level`, ROWTIME) VALUES (4, 4, 'Ann', 'Able', 'ann@example.com', '1 Main St', 'silver', 0);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 2, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 3, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('d', 'd', 4, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('e', 'e', 5, 'CREATED', 'JUMPERS', 1, 10, 100);
ASSERT VALUES orders_bronze (id, orderid, customerid, customerlevel) VALUES ('a', 'a', 1, 'bronze');

--@test: orders go by their product, new ones once, then each of their states
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 200);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'PASS', 300);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 1, 'CREATED', 'STOCKINGS', 1, 10, 400);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'SHIPPED', 'JUMPERS', 1, 10, 500);
ASSERT VALUES orders_by_product (product, id, customerid, state, quantity, price) VALUES ('JUMPERS', 'a', 1, 'CREATED', 1, 10);
ASSERT VALUES orders_by_product (product, id, customerid, state, quantity, price) VALUES ('JUMPERS', 'a', 1, 'VALIDATED', 1, 10);
ASSERT VALUES orders_by_product (product, id, customerid, state, quantity, price) VALUES ('STOCKINGS', 'b', 1, 'CREATED', 1, 10);
ASSERT VALUES orders_by_product (product, id, customerid, state, quantity, price) VALUES ('JUMPERS', 'a', 1, 'SHIPPED', 1, 10);

--@test: orders of a level are keyed by their ids
RUN SCRIPT 'setup/flow.sql';
ASSERT STREAM orders_platinum (id STRING KEY, orderid STRING, customerid BIGINT, customerlevel STRING) WITH (KAFKA_TOPIC='platinum', VALUE_FORMAT='AVRO');
ASSERT STREAM orders_gold (id STRING KEY, orderid STRING, customerid BIGINT, customerlevel STRING) WITH (KAFKA_TOPIC='gold', VALUE_FORMAT='AVRO');
ASSERT STREAM orders_silver (id STRING KEY, orderid STRING, customerid BIGINT, customerlevel STRING) WITH (KAFKA_TOPIC='silver', VALUE_FORMAT='AVRO');
ASSERT STREAM orders_bronze (id STRING KEY, orderid STRING, customerid BIGINT, customerlevel STRING) WITH (KAFKA_TOPIC='bronze', VALUE_FORMAT='AVRO');
