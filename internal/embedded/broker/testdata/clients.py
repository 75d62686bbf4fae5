"""What Python's Kafka clients do with a broker: python clients.py HOST:PORT"""
import sys
import time

import kafka
import kafka.admin
from confluent_kafka import Consumer, Producer, TopicPartition, ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, OffsetSpec

addr = sys.argv[1]
N = 2000


def check(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: got {got!r}, want {want!r}")
    print("ok", what)


def confluent():
    admin = AdminClient({"bootstrap.servers": addr})
    admin.create_topics([NewTopic("librd", 3, 1, config={"retention.ms": "60000"})])["librd"].result()
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        p = Producer({"bootstrap.servers": addr, "enable.idempotence": True, "compression.type": codec, "linger.ms": 5})
        errors = []
        for i in range(N):
            p.produce("librd", f"{codec}-{i}".encode(), key=str(i).encode(), headers={"codec": codec},
                      on_delivery=lambda err, _: errors.append(err) if err else None)
        check(f"librdkafka flushed {codec}", p.flush(30), 0)
        check(f"librdkafka errors {codec}", errors, [])

    def member(i):
        c = Consumer({"bootstrap.servers": addr, "group.id": "librd", "auto.offset.reset": "earliest",
                      "enable.auto.commit": False, "client.id": f"m{i}", "session.timeout.ms": 6000,
                      "partition.assignment.strategy": "cooperative-sticky"})
        c.subscribe(["librd"])
        return c

    members, seen, positions = [member(0), member(1)], set(), {}
    deadline = time.time() + 60
    while time.time() < deadline and (sum(positions.values()) < 5 * N or not all(m.assignment() for m in members)):
        for m in members:
            for r in m.consume(1000, 0.2):
                if r.error():
                    raise SystemExit(str(r.error()))
                seen.add((r.value(), r.headers()[0]))
                positions[r.partition()] = r.offset() + 1
    check("librdkafka read by two members", len(seen), 5 * N)
    check("librdkafka shares partitions", sorted(len(m.assignment()) for m in members), [1, 2])
    for m in members:
        m.commit(offsets=[TopicPartition("librd", tp.partition, positions[tp.partition]) for tp in m.assignment()], asynchronous=False)
        m.close()
    group = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions("librd")])["librd"].result()
    check("librdkafka committed", sum(tp.offset for tp in group.topic_partitions), 5 * N)
    described = admin.describe_consumer_groups(["librd"])["librd"].result()
    check("librdkafka group state", described.state.name, "EMPTY")

    res = ConfigResource(ConfigResource.Type.TOPIC, "librd")
    config = admin.describe_configs([res])[res].result()
    check("librdkafka configs", (config["retention.ms"].value, config["cleanup.policy"].is_default), ("60000", True))
    admin.create_partitions([NewPartitions("librd", 5)])["librd"].result()
    tp = TopicPartition("librd", 4)
    check("librdkafka offsets", admin.list_offsets({tp: OffsetSpec.latest()})[tp].result().offset, 0)
    check("librdkafka cluster", len(admin.describe_cluster().result().nodes), 1)
    admin.delete_consumer_groups(["librd"])["librd"].result()
    admin.delete_topics(["librd"])["librd"].result()

    try:
        t = Producer({"bootstrap.servers": addr, "transactional.id": "t"})
        t.init_transactions(10)
        raise SystemExit("a transactional producer was taken")
    except Exception as e:
        check("librdkafka transactions are refused", "uthoriz" in str(e), True)


def python():
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=addr)
    admin.create_topics([kafka.admin.NewTopic("pure", 2, 1)])
    p = kafka.KafkaProducer(bootstrap_servers=addr, acks="all", compression_type="gzip")
    for i in range(N):
        p.send("pure", str(i).encode(), key=str(i).encode())
    p.flush()
    c = kafka.KafkaConsumer("pure", bootstrap_servers=addr, group_id="pure", auto_offset_reset="earliest",
                            consumer_timeout_ms=8000, enable_auto_commit=False)
    seen = set()
    for r in c:
        seen.add(r.value)
        if len(seen) == N:
            break
    check("kafka-python read", len(seen), N)
    c.commit()
    check("kafka-python committed", sum(c.committed(kafka.TopicPartition("pure", p)) or 0 for p in range(2)), N)
    c.close()
    admin.delete_topics(["pure"])


confluent()
python()
