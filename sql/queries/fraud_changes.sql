-- Push query: the customers with too many orders in a window of 30 seconds. Read from
-- the earliest record it is the whole list, and then every change of it.
SELECT * FROM FRAUD_ORDER EMIT CHANGES;
