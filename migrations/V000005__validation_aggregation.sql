-- From three check results to one decision: VALIDATED when all passed, FAILED at the first that did not. Each order
-- gets exactly one final record, in whatever order, how often and how late its checks come.
SET 'auto.offset.reset' = 'earliest';
SET 'processing.guarantee' = 'exactly_once_v2';
SET 'commit.interval.ms' = '${commit_interval_ms}';
-- Each event must leave its own row in the topic.
SET 'cache.max.bytes.buffering' = '0';

-- All that happens to an order, keyed by its id.
CREATE STREAM order_events (id STRING KEY, kind STRING, result STRING, customerid BIGINT, product STRING, quantity INT, price DOUBLE)
  WITH (KAFKA_TOPIC='order-events.v1', VALUE_FORMAT='AVRO', PARTITIONS=${partitions});

INSERT INTO order_events
  SELECT id, 'CREATED' AS kind, 'PASS' AS result, customerid, product, quantity, price
  FROM orders_new
  EMIT CHANGES;

-- Other kinds of check, and results that are missing, do not take part: they would pass for a second first event.
INSERT INTO order_events
  SELECT id, checktype AS kind, validationresult AS result,
    CAST(NULL AS BIGINT) AS customerid, CAST(NULL AS STRING) AS product, CAST(NULL AS INT) AS quantity, CAST(NULL AS DOUBLE) AS price
  FROM order_validations_stream
  WHERE checktype IN ('INVENTORY_CHECK', 'FRAUD_CHECK', 'ORDER_DETAILS_CHECK') AND validationresult IS NOT NULL
  EMIT CHANGES;

-- What is known of each order: the first result of each check, how often each kind of event came, and which came last.
-- The topic exists before this table, with cleanup.policy=delete.
CREATE TABLE order_checks WITH (KAFKA_TOPIC='order-checks.v1', VALUE_FORMAT='AVRO') AS
  SELECT id,
    EARLIEST_BY_OFFSET(customerid) AS customerid,
    EARLIEST_BY_OFFSET(product) AS product,
    EARLIEST_BY_OFFSET(quantity) AS quantity,
    EARLIEST_BY_OFFSET(price) AS price,
    EARLIEST_BY_OFFSET(CASE WHEN kind = 'INVENTORY_CHECK' THEN result END) AS inventory,
    EARLIEST_BY_OFFSET(CASE WHEN kind = 'FRAUD_CHECK' THEN result END) AS fraud,
    EARLIEST_BY_OFFSET(CASE WHEN kind = 'ORDER_DETAILS_CHECK' THEN result END) AS details,
    SUM(CASE WHEN kind = 'CREATED' THEN 1 ELSE 0 END) AS n_created,
    SUM(CASE WHEN kind = 'INVENTORY_CHECK' THEN 1 ELSE 0 END) AS n_inventory,
    SUM(CASE WHEN kind = 'FRAUD_CHECK' THEN 1 ELSE 0 END) AS n_fraud,
    SUM(CASE WHEN kind = 'ORDER_DETAILS_CHECK' THEN 1 ELSE 0 END) AS n_details,
    LATEST_BY_OFFSET(kind) AS last_kind
  FROM order_events
  GROUP BY id
  EMIT CHANGES;

CREATE STREAM order_checks_stream (id STRING KEY, customerid BIGINT, product STRING, quantity INT, price DOUBLE,
    inventory STRING, fraud STRING, details STRING, n_created INT, n_inventory INT, n_fraud INT, n_details INT, last_kind STRING)
  WITH (KAFKA_TOPIC='order-checks.v1', VALUE_FORMAT='AVRO');

-- Only the first event of its kind can decide, and none before the order itself is there.
CREATE STREAM order_decisions WITH (KAFKA_TOPIC='order-decisions.v1', VALUE_FORMAT='AVRO') AS
  SELECT id, customerid, product, quantity, price, last_kind, n_created,
    CASE WHEN last_kind = 'CREATED' THEN 'PASS' WHEN last_kind = 'INVENTORY_CHECK' THEN inventory
         WHEN last_kind = 'FRAUD_CHECK' THEN fraud ELSE details END AS last_result,
    CASE WHEN inventory <> 'PASS' THEN 1 ELSE 0 END + CASE WHEN fraud <> 'PASS' THEN 1 ELSE 0 END
      + CASE WHEN details <> 'PASS' THEN 1 ELSE 0 END AS failures,
    CASE WHEN inventory = 'PASS' AND fraud = 'PASS' AND details = 'PASS' THEN 1 ELSE 0 END AS passed
  FROM order_checks_stream
  WHERE n_created > 0
    AND CASE WHEN last_kind = 'CREATED' THEN n_created WHEN last_kind = 'INVENTORY_CHECK' THEN n_inventory
             WHEN last_kind = 'FRAUD_CHECK' THEN n_fraud ELSE n_details END = 1
  EMIT CHANGES;

CREATE STREAM orders_out (id STRING KEY)
  WITH (KAFKA_TOPIC='orders.v1', VALUE_FORMAT='AVRO', VALUE_SCHEMA_ID=${order_schema_id});

-- The set is complete; or this event is the first failure; or the order came after a check had failed.
INSERT INTO orders_out
  SELECT id,
    AS_VALUE(id) AS `id`,
    customerid AS `customerId`,
    CASE WHEN failures > 0 THEN 'FAILED' ELSE 'VALIDATED' END AS `state`,
    product AS `product`,
    quantity AS `quantity`,
    price AS `price`
  FROM order_decisions
  WHERE passed = 1 OR (failures = 1 AND last_result <> 'PASS') OR (failures > 0 AND last_kind = 'CREATED')
  EMIT CHANGES;
