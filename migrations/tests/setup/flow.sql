-- All migrations, and streams to write what the services and connectors would write.
RUN SCRIPT '../../V000001__sources.sql';
RUN SCRIPT '../../V000002__new_orders.sql';
RUN SCRIPT '../../V000003__order_details_check.sql';
RUN SCRIPT '../../V000004__fraud_check.sql';
RUN SCRIPT '../../V000005__validation_aggregation.sql';
RUN SCRIPT '../../V000006__enrichment.sql';
RUN SCRIPT '../../V000007__email.sql';
RUN SCRIPT '../../V000008__routing.sql';
RUN SCRIPT '../../V000009__shipping.sql';
RUN SCRIPT '../../V000010__order_states.sql';

CREATE STREAM customers_in (customerid BIGINT KEY)
  WITH (KAFKA_TOPIC='customers', VALUE_FORMAT='AVRO', VALUE_SCHEMA_ID=${customers_schema_id});
CREATE STREAM payments_in (paymentid STRING KEY)
  WITH (KAFKA_TOPIC='payments.v1', VALUE_FORMAT='AVRO', VALUE_SCHEMA_ID=${payments_schema_id});
CREATE STREAM shipments_in (id STRING KEY)
  WITH (KAFKA_TOPIC='shipments.v1', VALUE_FORMAT='AVRO', VALUE_SCHEMA_ID=${shipments_schema_id});
