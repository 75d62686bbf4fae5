-- Pull query: the payments with the given ids.
SELECT PAYMENTID, ORDERID, CCY, AMOUNT FROM PAYMENTS_BY_ID WHERE PAYMENTID IN (${ids});
