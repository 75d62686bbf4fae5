-- V000005: from three check results to one decision.

--@test: an order that passes all checks is VALIDATED
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 2, 9.5, 100);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'PASS', 200);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES orders_stream (id, customerid, state, product, quantity, price, ROWTIME) VALUES ('a', 1, 'VALIDATED', 'JUMPERS', 2, 9.5, 200);

--@test: without the check of the inventory nothing is decided
--@expected.message: all records have already been read: 1 of topic orders.v1
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'VALIDATED');

--@test: the first check that fails decides
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 0, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 2, 'CREATED', 'JUMPERS', 1, 2000, 200);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('c', 'c', 3, 'CREATED', 'JUMPERS', 1, 10, 300);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('c', 'c', 'INVENTORY_CHECK', 'FAIL', 400);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES orders_stream (id, customerid, state, ROWTIME) VALUES ('a', 1, 'FAILED', 100);
ASSERT VALUES orders_stream (id, state) VALUES ('b', 'CREATED');
ASSERT VALUES orders_stream (id, customerid, state, ROWTIME) VALUES ('b', 2, 'FAILED', 200);
ASSERT VALUES orders_stream (id, state) VALUES ('c', 'CREATED');
ASSERT VALUES orders_stream (id, customerid, state, ROWTIME) VALUES ('c', 3, 'FAILED', 400);

--@test: an order is decided once, however many checks fail
--@expected.message: all records have already been read: 2 of topic orders.v1
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 0, 10, 100);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'FAIL', 200);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'FRAUD_CHECK', 'FAIL', 300);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'FAILED');
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'FAILED');

--@test: a check that is repeated decides nothing again
--@expected.message: all records have already been read: 2 of topic orders.v1
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'PASS', 200);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'PASS', 300);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'FAIL', 400);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'ORDER_DETAILS_CHECK', 'PASS', 500);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES orders_stream (id, customerid, state, ROWTIME) VALUES ('a', 1, 'VALIDATED', 200);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'FAILED');

--@test: the first result of a check counts, not its later ones
--@expected.message: all records have already been read: 2 of topic orders.v1
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'FAIL', 200);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'PASS', 300);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES orders_stream (id, customerid, state, ROWTIME) VALUES ('a', 1, 'FAILED', 200);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'VALIDATED');

--@test: a check may come before its order
RUN SCRIPT 'setup/flow.sql';
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'PASS', 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 200);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES orders_stream (id, customerid, state, ROWTIME) VALUES ('a', 1, 'VALIDATED', 200);

--@test: a check that failed before its order came fails it
RUN SCRIPT 'setup/flow.sql';
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'FAIL', 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 200);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES orders_stream (id, customerid, state, ROWTIME) VALUES ('a', 1, 'FAILED', 200);

--@test: a check that comes days later still decides
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('b', 'b', 2, 'CREATED', 'JUMPERS', 1, 10, 2592000000);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'PASS', 100);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES orders_stream (id, state) VALUES ('b', 'CREATED');
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'VALIDATED');

--@test: an ERROR of the inventory fails the order
--@expected.message: all records have already been read: 2 of topic orders.v1
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'ERROR', 200);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES orders_stream (id, customerid, state, ROWTIME) VALUES ('a', 1, 'FAILED', 200);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'VALIDATED');

--@test: an order that is posted again after its decision is not decided again
--@expected.message: all records have already been read: 3 of topic orders.v1
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'PASS', 200);
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 300);
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'VALIDATED');
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'CREATED');
ASSERT VALUES orders_stream (id, state) VALUES ('a', 'VALIDATED');

--@test: the events of an order and what is known of it
RUN SCRIPT 'setup/flow.sql';
INSERT INTO orders_out (id, `id`, `customerId`, `state`, `product`, `quantity`, `price`, ROWTIME) VALUES ('a', 'a', 1, 'CREATED', 'JUMPERS', 1, 10, 100);
INSERT INTO order_validations_out (id, `orderId`, `checkType`, `validationResult`, ROWTIME) VALUES ('a', 'a', 'INVENTORY_CHECK', 'PASS', 200);
ASSERT VALUES order_events (id, kind, result) VALUES ('a', 'CREATED', 'PASS');
ASSERT VALUES order_events (id, kind, result) VALUES ('a', 'ORDER_DETAILS_CHECK', 'PASS');
ASSERT VALUES order_events (id, kind, result) VALUES ('a', 'FRAUD_CHECK', 'PASS');
ASSERT VALUES order_events (id, kind, result) VALUES ('a', 'INVENTORY_CHECK', 'PASS');
ASSERT VALUES order_checks (id, n_created, n_details, n_fraud, n_inventory, last_kind) VALUES ('a', 1, 0, 0, 0, 'CREATED');
ASSERT VALUES order_checks (id, n_created, n_details, n_fraud, n_inventory, last_kind) VALUES ('a', 1, 1, 0, 0, 'ORDER_DETAILS_CHECK');
ASSERT VALUES order_checks (id, n_created, n_details, n_fraud, n_inventory, last_kind) VALUES ('a', 1, 1, 1, 0, 'FRAUD_CHECK');
ASSERT VALUES order_checks (id, customerid, inventory, fraud, details, n_inventory, last_kind) VALUES ('a', 1, 'PASS', 'PASS', 'PASS', 1, 'INVENTORY_CHECK');
ASSERT VALUES order_decisions (id, failures, passed, last_kind) VALUES ('a', 0, 0, 'CREATED');

--@test: the order is what its first record says
RUN SCRIPT 'setup/decisions.sql';
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('a', 1, 'JUMPERS', 2, 9.5, 100);
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('a', 7, 'STOCKINGS', 3, 1.5, 200);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'ORDER_DETAILS_CHECK', 'PASS', 300);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'FRAUD_CHECK', 'PASS', 400);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'INVENTORY_CHECK', 'PASS', 500);
ASSERT VALUES decided (id, customerid, state, product, quantity, price, ROWTIME) VALUES ('a', 1, 'VALIDATED', 'JUMPERS', 2, 9.5, 500);

--@test: the first result of each check counts, also before the decision
RUN SCRIPT 'setup/decisions.sql';
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('a', 1, 'JUMPERS', 1, 10, 100);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'INVENTORY_CHECK', 'PASS', 101);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'INVENTORY_CHECK', 'FAIL', 102);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'FRAUD_CHECK', 'PASS', 103);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'ORDER_DETAILS_CHECK', 'PASS', 104);
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('b', 1, 'JUMPERS', 1, 10, 200);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('b', 'FRAUD_CHECK', 'PASS', 201);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('b', 'FRAUD_CHECK', 'FAIL', 202);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('b', 'INVENTORY_CHECK', 'PASS', 203);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('b', 'ORDER_DETAILS_CHECK', 'PASS', 204);
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('c', 1, 'JUMPERS', 1, 10, 300);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('c', 'ORDER_DETAILS_CHECK', 'PASS', 301);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('c', 'ORDER_DETAILS_CHECK', 'FAIL', 302);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('c', 'INVENTORY_CHECK', 'PASS', 303);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('c', 'FRAUD_CHECK', 'PASS', 304);
ASSERT VALUES decided (id, state, ROWTIME) VALUES ('a', 'VALIDATED', 104);
ASSERT VALUES decided (id, state, ROWTIME) VALUES ('b', 'VALIDATED', 204);
ASSERT VALUES decided (id, state, ROWTIME) VALUES ('c', 'VALIDATED', 304);

--@test: two checks that passed are not enough, whichever they are
RUN SCRIPT 'setup/decisions.sql';
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('a', 1, 'JUMPERS', 1, 10, 100);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'INVENTORY_CHECK', 'PASS', 101);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'FRAUD_CHECK', 'PASS', 102);
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('b', 1, 'JUMPERS', 1, 10, 103);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('b', 'INVENTORY_CHECK', 'PASS', 104);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('b', 'ORDER_DETAILS_CHECK', 'PASS', 105);
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('c', 1, 'JUMPERS', 1, 10, 106);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('c', 'FRAUD_CHECK', 'PASS', 107);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('c', 'ORDER_DETAILS_CHECK', 'PASS', 108);
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('d', 1, 'JUMPERS', 1, 10, 109);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('d', 'FRAUD_CHECK', 'PASS', 110);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('d', 'INVENTORY_CHECK', 'PASS', 111);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('d', 'ORDER_DETAILS_CHECK', 'PASS', 112);
ASSERT VALUES decided (id, state, ROWTIME) VALUES ('d', 'VALIDATED', 112);

--@test: whichever check fails first decides at once
RUN SCRIPT 'setup/decisions.sql';
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('a', 1, 'JUMPERS', 1, 10, 100);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'INVENTORY_CHECK', 'FAIL', 101);
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('b', 1, 'JUMPERS', 1, 10, 200);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('b', 'FRAUD_CHECK', 'FAIL', 201);
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('c', 1, 'JUMPERS', 1, 10, 300);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('c', 'ORDER_DETAILS_CHECK', 'FAIL', 301);
ASSERT VALUES decided (id, state, ROWTIME) VALUES ('a', 'FAILED', 101);
ASSERT VALUES decided (id, state, ROWTIME) VALUES ('b', 'FAILED', 201);
ASSERT VALUES decided (id, state, ROWTIME) VALUES ('c', 'FAILED', 301);

--@test: other kinds of check do not take part
RUN SCRIPT 'setup/decisions.sql';
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('a', 1, 'JUMPERS', 1, 10, 100);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'CREDIT_CHECK', 'FAIL', 101);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'ORDER_DETAILS_CHECK', 'PASS', 102);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'FRAUD_CHECK', 'PASS', 103);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'INVENTORY_CHECK', 'PASS', 104);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'CREDIT_CHECK', 'PASS', 105);
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('b', 1, 'JUMPERS', 1, 10, 200);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('b', 'INVENTORY_CHECK', 'FAIL', 201);
ASSERT VALUES decided (id, state, ROWTIME) VALUES ('a', 'VALIDATED', 104);
ASSERT VALUES decided (id, state, ROWTIME) VALUES ('b', 'FAILED', 201);

--@test: a check without a result is none
RUN SCRIPT 'setup/decisions.sql';
INSERT INTO orders_new (id, customerid, product, quantity, price, ROWTIME) VALUES ('a', 1, 'JUMPERS', 1, 10, 100);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'FRAUD_CHECK', NULL, 101);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'ORDER_DETAILS_CHECK', 'PASS', 102);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'INVENTORY_CHECK', 'PASS', 103);
INSERT INTO order_validations_stream (id, checktype, validationresult, ROWTIME) VALUES ('a', 'FRAUD_CHECK', 'PASS', 104);
ASSERT VALUES decided (id, state, ROWTIME) VALUES ('a', 'VALIDATED', 104);
