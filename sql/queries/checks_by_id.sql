-- Pull query: the first result of each check of the orders with the given ids; null while there is none.
SELECT ID, INVENTORY, FRAUD, DETAILS FROM ORDER_CHECKS WHERE ID IN (${ids});
