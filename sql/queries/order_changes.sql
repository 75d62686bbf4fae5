-- Push query: every record of orders.v1 from now on. It wakes those who wait for an order.
SELECT ID, CUSTOMERID, STATE, PRODUCT, QUANTITY, PRICE FROM ORDERS_STREAM EMIT CHANGES;
