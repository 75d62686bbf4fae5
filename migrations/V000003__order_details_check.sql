-- Is the order's content one that can be delivered?
SET 'auto.offset.reset' = 'earliest';
SET 'processing.guarantee' = 'exactly_once_v2';
SET 'commit.interval.ms' = '${commit_interval_ms}';

-- The columns come from the registered schema, whose camelCase names and enums only a schema id brings along. Aliases
-- are quoted and in the order of the schema's fields.
CREATE STREAM order_validations_out (id STRING KEY)
  WITH (KAFKA_TOPIC='order-validations.v1', VALUE_FORMAT='AVRO', VALUE_SCHEMA_ID=${validation_schema_id});

INSERT INTO order_validations_out
  SELECT id,
    AS_VALUE(id) AS `orderId`,
    'ORDER_DETAILS_CHECK' AS `checkType`,
    CASE WHEN quantity > 0 AND price >= 0 AND product IN ('JUMPERS', 'UNDERPANTS', 'STOCKINGS') THEN 'PASS' ELSE 'FAIL' END AS `validationResult`
  FROM orders_new
  EMIT CHANGES;
