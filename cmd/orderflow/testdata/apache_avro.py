"""Apache Avro's Python package over the wire format of Schema Registry: python apache_avro.py REGISTRY-URL.
Tasks and answers are those of ApacheAvro.java."""
import base64
import datetime
import decimal
import io
import json
import struct
import sys
import urllib.request

import avro.io
import avro.name
import avro.schema

registry = sys.argv[1]


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(registry + path, data, {"Content-Type": "application/vnd.schemaregistry.v1+json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def parse(text, references=()):
    names = avro.name.Names()
    for r in references or ():
        version = ask(f"/subjects/{r['subject']}/versions/{r['version']}")
        avro.schema.make_avsc_object(json.loads(version["schema"]), names)
    return avro.schema.make_avsc_object(json.loads(text), names)


def read(record, reader):
    magic, schema_id = struct.unpack(">bI", record[:5])
    if magic != 0:
        raise ValueError("the record doesn't begin with the magic byte 0")
    found = ask(f"/schemas/ids/{schema_id}")
    written = parse(found["schema"], found.get("references"))
    rest = io.BytesIO(record[5:])
    datum = avro.io.DatumReader(written, parse(reader) if reader else written).read(avro.io.BinaryDecoder(rest))
    if rest.read():
        raise ValueError("bytes are left behind the record")
    return show(datum)


def show(v):
    if isinstance(v, dict):
        return {key: show(item) for key, item in v.items()}
    if isinstance(v, list):
        return [show(item) for item in v]
    if isinstance(v, bytes):
        return base64.b64encode(v).decode()
    if isinstance(v, decimal.Decimal):
        return format(v, "f")
    if isinstance(v, datetime.datetime):
        return v.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    if isinstance(v, datetime.time):
        return v.isoformat(timespec="milliseconds")
    if isinstance(v, datetime.date):
        return v.isoformat()
    return v


def write(task):
    request = {"schema": task["schema"]}
    if task.get("references"):
        request["references"] = task["references"]
    schema_id = ask(f"/subjects/{task['subject']}/versions", request)["id"]
    schema = parse(task["schema"], task.get("references"))
    out = io.BytesIO(struct.pack(">bI", 0, schema_id))
    out.seek(0, io.SEEK_END)
    avro.io.DatumWriter(schema).write(made(schema, task["write"]), avro.io.BinaryEncoder(out))
    return out.getvalue()


def made(schema, v):
    logical = getattr(schema, "logical_type", None)
    if logical == "decimal":
        return decimal.Decimal(v)
    if logical == "date":
        return datetime.date.fromisoformat(v)
    if logical == "time-millis":
        return datetime.time.fromisoformat(v)
    if logical == "timestamp-millis":
        return datetime.datetime.fromisoformat(v.replace("Z", "+00:00"))
    if schema.type == "record":
        return {f.name: made(f.type, v[f.name]) for f in schema.fields}
    if schema.type in ("bytes", "fixed"):
        return base64.b64decode(v)
    if schema.type == "array":
        return [made(schema.items, item) for item in v]
    if schema.type == "map":
        return {key: made(schema.values, item) for key, item in v.items()}
    if schema.type == "union":  # of null and another
        return None if v is None else made(next(s for s in schema.schemas if s.type != "null"), v)
    return v


for line in sys.stdin:
    task = json.loads(line)
    try:
        if task.get("read"):
            answer = {"value": read(base64.b64decode(task["read"]), task.get("reader"))}
        else:
            answer = {"record": base64.b64encode(write(task)).decode()}
    except (avro.errors.AvroException, OSError, ValueError) as e:
        answer = {"error": f"{type(e).__name__}: {e}"}
    print(json.dumps(answer), flush=True)
