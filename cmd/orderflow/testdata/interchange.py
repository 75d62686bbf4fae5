"""Confluent's Python serializers and deserializers beside SQL: python interchange.py write|read|pipeline BROKER REGISTRY-URL WORK-DIR"""
import importlib
import json
import os
import subprocess
import sys
import time
import warnings

warnings.simplefilter("ignore")
from confluent_kafka import DeserializingConsumer, SerializingProducer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import StringDeserializer, StringSerializer
from google.protobuf.json_format import MessageToDict

what, broker, url, work = sys.argv[1:]
sr = SchemaRegistryClient({"url": url})
conf = {"use.deprecated.format": False}
AVRO = Schema('{"type":"record","name":"Item","namespace":"py","fields":[{"name":"name","type":"string"},{"name":"qty","type":"int"},'
              '{"name":"price","type":["null","double"],"default":null},{"name":"tags","type":{"type":"array","items":"string"}}]}', "AVRO")
JSON = Schema('{"$schema":"http://json-schema.org/draft-07/schema#","title":"Item","type":"object","properties":{"name":{"type":"string"},'
              '"qty":{"type":"integer"},"price":{"type":"number"},"tags":{"type":"array","items":{"type":"string"}}}}', "JSON")
PROTO = 'syntax = "proto3";\npackage py;\nmessage Item {\n  string name = 1;\n  int32 qty = 2;\n  double price = 3;\n  repeated string tags = 4;\n}\n'


def generated(name, text):
    """The classes of a .proto file."""
    with open(os.path.join(work, name + ".proto"), "w") as f:
        f.write(text)
    subprocess.run([sys.executable, "-W", "ignore", "-m", "grpc_tools.protoc", "-I", work, "--python_out", work, name + ".proto"], check=True)
    if work not in sys.path:
        sys.path.insert(0, work)
    importlib.invalidate_caches()
    return importlib.import_module(name + "_pb2")


def write():
    item = generated("item", PROTO).Item
    admin = AdminClient({"bootstrap.servers": broker})
    values = [{"name": f"n{i}", "qty": i, "price": i / 2, "tags": ["a", str(i)]} for i in range(3)]
    for topic, serializer, made in [("py-avro", AvroSerializer(sr, AVRO), dict), ("py-json", JSONSerializer(JSON, sr), dict),
                                    ("py-proto", ProtobufSerializer(item, sr, conf), lambda v: item(**v))]:
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
        p = SerializingProducer({"bootstrap.servers": broker, "key.serializer": StringSerializer(), "value.serializer": serializer})
        for i, v in enumerate(values):
            p.produce(topic, key=f"k{i}", value=made(v))
        assert p.flush(30) == 0


def records(topic, deserializer, n):
    c = DeserializingConsumer({"bootstrap.servers": broker, "group.id": "python-" + topic, "auto.offset.reset": "earliest",
                               "isolation.level": "read_committed", "value.deserializer": deserializer})
    c.subscribe([topic])
    got, deadline = [], time.time() + 60
    while len(got) < n and time.time() < deadline:
        m = c.poll(1)
        if m is not None and m.value() is not None:
            got.append(m.value())
    c.close()
    return got


def read():
    """What SQL made of it."""
    print(json.dumps({"avro": records("out-avro", AvroDeserializer(sr), 3)}))
    print(json.dumps({"json": records("out-json", JSONDeserializer(None, schema_registry_client=sr), 3)}))
    module = generated("made", sr.get_latest_version("out-proto-value").schema.schema_str)
    sr.clear_caches()
    name = list(module.DESCRIPTOR.message_types_by_name)[0]
    got = records("out-proto", ProtobufDeserializer(getattr(module, name), conf, sr), 3)
    print(json.dumps({"proto": [MessageToDict(m, preserving_proto_field_name=True, always_print_fields_with_no_presence=True) for m in got]}))


def pipeline():
    for topic in ["orders.v1", "orders-new.v1", "order-validations.v1", "orders-enriched.v1", "customers", "payments.v1"]:
        print(json.dumps({topic: records(topic, AvroDeserializer(sr), 3)}))


{"write": write, "read": read, "pipeline": pipeline}[what]()
