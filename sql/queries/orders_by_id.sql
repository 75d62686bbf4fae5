-- Pull query: the orders with the given ids, as they stand now.
SELECT ID, CUSTOMERID, STATE, PRODUCT, QUANTITY, PRICE FROM ORDER_STATES WHERE ID IN (${ids});
