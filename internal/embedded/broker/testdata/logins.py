"""Python's Kafka clients at a broker that asks for a login: python logins.py HOST:PORT CA USER PASSWORD"""
import sys
import time

import kafka
import kafka.errors
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

addr, ca, user, password = sys.argv[1:]


def check(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: got {got!r}, want {want!r}")
    print("ok", what)


for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]:
    login = {"bootstrap.servers": addr, "security.protocol": "SASL_SSL", "ssl.ca.location": ca,
             "sasl.mechanism": mechanism, "sasl.username": user, "sasl.password": password}
    topic = "librd-" + mechanism
    admin = AdminClient(login)
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    p = Producer(login)
    for i in range(100):
        p.produce(topic, str(i).encode())
    check(f"librdkafka produced, {mechanism}", p.flush(30), 0)
    c = Consumer({**login, "group.id": topic, "auto.offset.reset": "earliest"})
    c.subscribe([topic])
    got, deadline = 0, time.time() + 60
    while got < 100 and time.time() < deadline:
        m = c.poll(1)
        got += m is not None and m.error() is None
    c.close()
    check(f"librdkafka consumed, {mechanism}", got, 100)

    errors = []
    wrong = Producer({**login, "sasl.password": "wr0ng", "error_cb": errors.append})
    deadline = time.time() + 60
    while not errors and time.time() < deadline:
        wrong.poll(0.1)
    check(f"librdkafka refused, {mechanism}", errors[0].name(), "_AUTHENTICATION")

    own = {"bootstrap_servers": addr, "security_protocol": "SASL_SSL", "ssl_cafile": ca, "sasl_mechanism": mechanism,
           "sasl_plain_username": user, "sasl_plain_password": password}
    topic = "pure-" + mechanism
    p = kafka.KafkaProducer(**own)
    for i in range(100):
        p.send(topic, str(i).encode()).get(30)
    p.close()
    c = kafka.KafkaConsumer(topic, auto_offset_reset="earliest", consumer_timeout_ms=30000, **own)
    check(f"kafka-python consumed, {mechanism}", [next(c).value for _ in range(100)], [str(i).encode() for i in range(100)])
    c.close()
