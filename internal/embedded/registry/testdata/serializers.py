"""Confluent's serializers and registry client at a registry: python serializers.py BROKER REGISTRY-URL WORK-DIR"""
import importlib
import os
import subprocess
import sys
import time
import warnings

warnings.simplefilter("ignore")
from confluent_kafka import DeserializingConsumer, SerializingProducer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import (ConfigCompatibilityLevel, Metadata, MetadataProperties, Schema,
                                             SchemaReference, SchemaRegistryClient, ServerConfig,
                                             record_subject_name_strategy, topic_record_subject_name_strategy)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError, StringDeserializer, StringSerializer

broker, url, work = sys.argv[1:]
sr = SchemaRegistryClient({"url": url, "max.retries": 0})
admin = AdminClient({"bootstrap.servers": broker})
failed = []


def check(what, got, want):
    if got != want:
        failed.append(what)
        print(f"WRONG {what}: got {got!r}, want {want!r}")
    else:
        print("ok", what)


def refused(what, work, status, code):
    try:
        work()
    except SchemaRegistryError as e:
        check(what, (e.http_status_code, e.error_code), (status, code))
    except (SerializationError, ValueError) as e:
        cause = e.__cause__ or e.__context__
        check(what, (getattr(cause, "http_status_code", repr(e)), getattr(cause, "error_code", 0)), (status, code))
    else:
        check(what, "accepted", "refused")


def through_kafka(topic, serializer, deserializer, values):
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    p = SerializingProducer({"bootstrap.servers": broker, "key.serializer": StringSerializer(), "value.serializer": serializer})
    for i, v in enumerate(values):
        p.produce(topic, key=str(i), value=v)
    check(f"{topic}: flushed", p.flush(30), 0)
    c = DeserializingConsumer({"bootstrap.servers": broker, "group.id": topic, "auto.offset.reset": "earliest",
                               "key.deserializer": StringDeserializer(), "value.deserializer": deserializer})
    c.subscribe([topic])
    got, deadline = [], time.time() + 60
    while len(got) < len(values) and time.time() < deadline:
        m = c.poll(1)
        if m is not None:
            got.append(m.value())
    c.close()
    return got


def value_of(topic):
    return SerializationContext(topic, MessageField.VALUE)


def avro():
    product = '{"type":"record","name":"Product","namespace":"shop","fields":[{"name":"name","type":"string"}]}'
    sr.register_schema("product", Schema(product, "AVRO"))
    order = Schema('{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"string"},{"name":"product","type":"shop.Product"},'
                   '{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"note","type":["null","string"],"default":null}]}',
                   "AVRO", [SchemaReference("shop.Product", "product", 1)])
    import datetime
    at = datetime.datetime(2026, 1, 31, 8, 30, tzinfo=datetime.timezone.utc)
    values = [{"id": str(i), "product": {"name": "JUMPERS"}, "at": at, "note": None if i % 2 else "née"} for i in range(20)]
    got = through_kafka("avro-orders", AvroSerializer(sr, order), AvroDeserializer(sr), values)
    check("avro with a reference", got, values)
    latest = sr.get_latest_version("avro-orders-value")
    check("its reference", [(r.name, r.subject, r.version) for r in latest.schema.references], [("shop.Product", "product", 1)])
    check("referenced by", sr.get_referenced_by("product", 1), [latest.schema_id])
    refused("deleting what is referenced", lambda: sr.delete_version("product", 1), 422, 42206)

    # Evolution: the reader's schema has a field more and one less.
    reader = Schema('{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"string"},{"name":"country","type":"string","default":"NO"}]}', "AVRO")
    old = AvroSerializer(sr, order)(values[0], value_of("avro-orders"))
    check("read with another schema", AvroDeserializer(sr, reader)(old, value_of("avro-orders")), {"id": "0", "country": "NO"})
    bad = Schema(order.schema_str.replace('{"name":"id","type":"string"}', '{"name":"id","type":"string"},{"name":"must","type":"int"}'), "AVRO", order.references)
    refused("an incompatible schema", lambda: AvroSerializer(sr, bad)({**values[0], "must": 1}, value_of("avro-orders")), 409, 409)
    good = Schema(order.schema_str.replace('{"name":"id","type":"string"}', '{"name":"id","type":"string"},{"name":"may","type":"int","default":7}'), "AVRO", order.references)
    AvroSerializer(sr, good)({**values[0], "may": 1}, value_of("avro-orders"))
    check("a compatible schema", sr.get_versions("avro-orders-value"), [1, 2])
    sr.clear_caches()  # the client remembers the latest version
    latest = AvroSerializer(sr, order, conf={"auto.register.schemas": False, "use.latest.version": True})({**values[0], "may": 3}, value_of("avro-orders"))
    check("use.latest.version", AvroDeserializer(sr)(latest, value_of("avro-orders"))["may"], 3)
    refused("no registering", lambda: AvroSerializer(sr, bad, conf={"auto.register.schemas": False})({**values[0], "must": 1}, value_of("avro-orders")), 404, 40403)
    refused("an unknown subject", lambda: AvroSerializer(sr, bad, conf={"auto.register.schemas": False})({**values[0], "must": 1}, value_of("nowhere")), 404, 40401)
    refused("no schema at all", lambda: sr.register_schema("broken", Schema('{"type":"record"}', "AVRO")), 422, 42201)

    plain = Schema('{"type":"record","name":"P","namespace":"shop","fields":[ {"name":"x","type":"int"} ]}', "AVRO")
    for strategy, subject in [(record_subject_name_strategy, "shop.P"), (topic_record_subject_name_strategy, "t-shop.P")]:
        AvroSerializer(sr, plain, conf={"subject.name.strategy": strategy})({"x": 1}, value_of("t"))
        check(f"subject {subject}", sr.get_versions(subject), [1])
    # Each type that Avro has.
    every = Schema("""{"type":"record","name":"Every","fields":[
      {"name":"b","type":"boolean"},{"name":"i","type":"int"},{"name":"l","type":"long"},{"name":"f","type":"float"},{"name":"d","type":"double"},
      {"name":"y","type":"bytes"},{"name":"s","type":"string"},{"name":"a","type":{"type":"array","items":"int"}},{"name":"m","type":{"type":"map","values":"long"}},
      {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},{"name":"x","type":{"type":"fixed","name":"X","size":2}},
      {"name":"u","type":["null","int","string"]},{"name":"r","type":["null","Every"],"default":null}]}""", "AVRO")
    value = {"b": True, "i": -5, "l": 2**40, "f": 0.5, "d": 0.1, "y": b"\x00\xff", "s": "ß", "a": [1, 2], "m": {"k": 1}, "e": "B", "x": b"ab", "u": "t", "r": None}
    check("every type of Avro", through_kafka("avro-every", AvroSerializer(sr, every), AvroDeserializer(sr), [value, {**value, "r": value}]), [value, {**value, "r": value}])


def json():
    product = '{"$schema":"http://json-schema.org/draft-07/schema#","title":"Product","type":"object","properties":{"name":{"type":"string"}},"required":["name"]}'
    sr.register_schema("product-json", Schema(product, "JSON"))
    order = Schema('{"$schema":"http://json-schema.org/draft-07/schema#","title":"Order","type":"object","properties":{"id":{"type":"string"},'
                   '"product":{"$ref":"product.json"},"price":{"type":"number","minimum":0}},"required":["id"],"additionalProperties":false}',
                   "JSON", [SchemaReference("product.json", "product-json", 1)])
    values = [{"id": str(i), "product": {"name": "JUMPERS"}, "price": i / 2} for i in range(20)]
    got = through_kafka("json-orders", JSONSerializer(order, sr), JSONDeserializer(order, schema_registry_client=sr), values)
    check("json with a reference", got, values)
    check("json without a schema of its own", JSONDeserializer(None, schema_registry_client=sr)(JSONSerializer(order, sr)(values[1], value_of("json-orders")), value_of("json-orders")), values[1])
    bad = Schema(order.schema_str.replace('"required":["id"]', '"required":["id","price"]'), "JSON", order.references)
    refused("an incompatible json schema", lambda: JSONSerializer(bad, sr)(values[0], value_of("json-orders")), 409, 409)
    try:
        JSONSerializer(order, sr)({"id": "1", "price": -1}, value_of("json-orders"))
        check("an invalid document", "accepted", "refused")
    except SerializationError:
        check("an invalid document", "refused", "refused")


def protobuf():
    os.makedirs(work, exist_ok=True)
    files = {
        "product.proto": 'syntax = "proto3";\npackage shop;\nmessage Product {\n  string name = 1;\n}\n',
        "order.proto": 'syntax = "proto3";\npackage shop;\nimport "product.proto";\nimport "google/protobuf/timestamp.proto";\n'
                       'message Order {\n  string id = 1;\n  Product product = 2;\n  google.protobuf.Timestamp at = 3;\n  repeated int32 n = 4;\n'
                       '  map<string, int64> m = 5;\n  oneof kind { bool gift = 6; string note = 7; }\n  enum Level { NONE = 0; GOLD = 1; }\n  Level level = 8;\n'
                       '  message Line { int32 q = 1; }\n  repeated Line lines = 9;\n  optional double price = 10;\n}\nmessage Other { string x = 1; }\n',
        "order2.proto": 'syntax = "proto3";\npackage shop2;\nmessage Order {\n  int32 id = 1;\n}\n',
    }
    for name, text in files.items():
        with open(os.path.join(work, name), "w") as f:
            f.write(text)
    subprocess.run([sys.executable, "-W", "ignore", "-m", "grpc_tools.protoc", "-I", work, "--python_out", work, *files], check=True)
    sys.path.insert(0, work)
    pb, product, pb2 = importlib.import_module("order_pb2"), importlib.import_module("product_pb2"), importlib.import_module("order2_pb2")
    conf = {"use.deprecated.format": False}
    values = []
    for i in range(20):
        o = pb.Order(id=str(i), product=product.Product(name="JUMPERS"), n=[1, 2, i], m={"k": i}, note="née", level=pb.Order.GOLD, lines=[pb.Order.Line(q=i)], price=i / 2)
        o.at.FromSeconds(1_700_000_000 + i)
        values.append(o)
    got = through_kafka("protobuf-orders", ProtobufSerializer(pb.Order, sr, conf), ProtobufDeserializer(pb.Order, conf, sr), values)
    check("protobuf with an import", got, values)
    check("its subjects", [s for s in sr.get_subjects() if "proto" in s], ["product.proto", "protobuf-orders-value"])
    latest = sr.get_latest_version("protobuf-orders-value")
    check("its references", [(r.name, r.subject, r.version) for r in latest.schema.references],
          [("product.proto", "product.proto", 1)])
    check("again the same version", (ProtobufSerializer(pb.Order, sr, conf)(values[0], value_of("protobuf-orders")) != b"", sr.get_versions("protobuf-orders-value")), (True, [1]))
    sr.clear_caches()  # what the client remembers is not in the format that it asks for next
    other = ProtobufSerializer(pb.Other, sr, {**conf, "auto.register.schemas": False, "use.latest.version": True})(pb.Other(x="1"), value_of("protobuf-orders"))
    check("the second message of a file", ProtobufDeserializer(pb.Other, conf, sr)(other, value_of("protobuf-orders")), pb.Other(x="1"))
    refused("an incompatible protobuf schema", lambda: ProtobufSerializer(pb2.Order, sr, conf)(pb2.Order(id=1), value_of("protobuf-orders")), 409, 409)


def client():
    v1 = Schema('{"type":"record","name":"C","fields":[{"name":"a","type":"int"}]}', "AVRO")
    v2 = Schema('{"type":"record","name":"C","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":1}]}', "AVRO")
    bad = Schema('{"type":"record","name":"C","fields":[{"name":"a","type":"string"}]}', "AVRO")
    spaced = Schema('{ "fields": [ {"type":"int", "name":"a", "doc":"d"} ], "name":"C", "type":"record" }', "AVRO")
    check("types", sorted(sr.get_schema_types()), ["AVRO", "JSON", "PROTOBUF"])
    first = sr.register_schema("client-a", v1)
    check("the same id in another subject", sr.register_schema("client-b", v1), first)
    full = sr.register_schema_full_response("client-a", v2)
    check("a full response", full.schema_id, first + 1)
    sr.clear_caches()
    check("versions", sr.get_versions("client-a"), [1, 2])
    check("a page of versions", sr.get_versions("client-a", offset=1, limit=1), [2])
    check("by id", sr.get_schema(first).schema_str, '{"type":"record","name":"C","fields":[{"name":"a","type":"int"}]}')
    check("latest", (sr.get_latest_version("client-a").version, sr.get_version("client-a", "latest").version, sr.get_version("client-a", 1).schema_id), (2, 2, first))
    check("lookup", sr.lookup_schema("client-a", v2).version, 2)
    refused("lookup of an unknown schema", lambda: sr.lookup_schema("client-a", bad), 404, 40403)
    check("lookup, normalized", sr.lookup_schema("client-a", Schema(v1.schema_str.replace(",", " , "), "AVRO"), normalize_schemas=True).version, 1)
    check("subjects of an id", sr.get_subjects_by_schema_id(first), ["client-a", "client-b"])
    check("versions of an id", [(v.subject, v.version) for v in sr.get_schema_versions(first)], [("client-a", 1), ("client-b", 1)])
    # The client's own parameters for the prefix and for what is deleted have names that no registry knows.
    subjects = lambda **query: sr._rest_client.get("subjects", {"subjectPrefix": "client-", **query})
    check("subjects with a prefix", subjects(), ["client-a", "client-b"])
    check("a page of subjects", subjects(offset=1, limit=5), ["client-b"])
    check("subjects", [s for s in sr.get_subjects() if s.startswith("client-")], ["client-a", "client-b"])
    check("compatible", (sr.test_compatibility("client-a", v2), sr.test_compatibility("client-a", bad), sr.test_compatibility("client-a", bad, 1),
                         sr.test_compatibility_all_versions("client-a", v2), sr.test_compatibility_all_versions("client-a", bad, verbose=True)), (True, False, False, True, False))
    refused("an incompatible schema", lambda: sr.register_schema("client-a", bad), 409, 409)
    check("level", sr.get_compatibility(), "BACKWARD")
    refused("level of a subject without one", lambda: sr.get_compatibility("client-a"), 404, 40408)
    check("set a level", sr.set_compatibility("client-a", "NONE")["compatibility"], "NONE")
    check("the level that was set", sr.get_compatibility("client-a"), "NONE")
    sr.register_schema("client-a", bad)
    refused("no level", lambda: sr.set_compatibility("client-a", "SOMETIMES"), 422, 42203)
    check("delete the level", sr.delete_config("client-a").compatibility_level, "NONE")
    sr.set_config("client-a", ServerConfig(compatibility=ConfigCompatibilityLevel.FULL, compatibility_group="application.version"))
    got = sr.get_config("client-a")
    check("config", (got.compatibility_level, got.compatibility_group), ("FULL", "application.version"))
    sr.delete_config("client-a")

    check("mode", sr.get_global_mode(), "READWRITE")
    check("set a mode", sr.update_mode("client-b", "READONLY"), "READONLY")
    check("the mode that was set", sr.get_mode("client-b"), "READONLY")
    refused("writing read-only", lambda: sr.register_schema("client-b", v2), 422, 42205)
    check("delete the mode", sr.delete_mode("client-b"), "READONLY")
    refused("no mode", lambda: sr.update_mode("client-b", "SOMETIMES"), 422, 42204)
    refused("mode of a subject without one", lambda: sr.get_mode("client-b"), 404, 40409)

    refused("permanent before soft", lambda: sr.delete_version("client-a", 3, permanent=True), 404, 40407)
    check("delete a version", sr.delete_version("client-a", 3), 3)
    refused("delete it again", lambda: sr.delete_version("client-a", 3), 404, 40406)
    check("deleted versions", (sr.get_versions("client-a"), sr.get_versions("client-a", deleted=True), sr._rest_client.get("subjects/client-a/versions", {"deletedOnly": "true"})), ([1, 2], [1, 2, 3], [3]))
    check("delete it for good", sr.delete_version("client-a", 3, permanent=True), 3)
    check("delete a subject", sr.delete_subject("client-b"), [1])
    refused("a deleted subject", lambda: sr.get_latest_version("client-b"), 404, 40401)
    check("deleted subjects", subjects(deletedOnly="true"), ["client-b"])
    check("delete it for good", sr.delete_subject("client-b", permanent=True), [1])
    refused("an unknown subject", lambda: sr.delete_subject("client-b"), 404, 40401)
    refused("an unknown id", lambda: sr.get_schema(99999), 404, 40403)
    check("an id outlives a subject", sr.get_schema(first).schema_type, "AVRO")
    check("register after a delete", sr.register_schema("client-b", v1), first)

    with_metadata = Schema(v1.schema_str, "AVRO", metadata=Metadata(tags=None, properties=MetadataProperties({"owner": "shop"}), sensitive=None))
    sr.register_schema("client-m", with_metadata)
    check("by metadata", sr.get_latest_with_metadata("client-m", {"owner": "shop"}).version, 1)
    refused("by other metadata", lambda: sr.get_latest_with_metadata("client-m", {"owner": "nobody"}), 404, 40403)
    check("contexts", sr.get_contexts(), ["."])
    sr.register_schema(":.other:client-a", v1)
    check("contexts, two", sr.get_contexts(), [".", ".other"])
    check("subjects of a context", subjects(subjectPrefix=":.other:"), [":.other:client-a"])


for part in [avro, json, protobuf, client]:
    part()
if failed:
    raise SystemExit("wrong: " + ", ".join(failed))
