-- Pull query: when the orders with the given ids were submitted last, and how often.
SELECT ID, N, ROWTIME FROM ORDER_SUBMISSIONS WHERE ID IN (${ids});
