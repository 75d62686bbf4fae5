-- Pull query: the orders with the given ids, as they stand now.
SELECT ID, CUSTOMERID, STATE, PRODUCT, QUANTITY, PRICE FROM ORDERS_BY_ID WHERE ID IN (${ids});
