// Apache Avro over the wire format of Schema Registry: java ApacheAvro.java REGISTRY-URL. Each line of the input is a
// task, and each line of the output its answer, or {"error": message}:
//   {"read": record in base64, "reader": schema's text or null}              {"value": as JSON}
//   {"write": as JSON, "subject": of the schema, "schema": text,
//    "references": [{"name", "subject", "version"}]}                         {"record": in base64}
// In the JSON bytes are base64 and values of logical types are text: decimal 12.34, date 2024-01-31, time 12:34:56.789,
// timestamp 2024-01-31T12:34:56.789Z.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Conversions;
import org.apache.avro.Schema;
import org.apache.avro.data.TimeConversions;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

public class ApacheAvro {
    static final ObjectMapper JSON = new ObjectMapper();
    static final JsonNodeFactory NODES = JsonNodeFactory.withExactBigDecimals(true);
    static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("HH:mm:ss.SSS");
    static final DateTimeFormatter TIMESTAMP = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSX").withZone(ZoneOffset.UTC);
    static final HttpClient HTTP = HttpClient.newHttpClient();
    static final GenericData DATA = new GenericData();
    static String registry;

    public static void main(String[] args) throws Exception {
        registry = args[0];
        DATA.addLogicalTypeConversion(new Conversions.DecimalConversion());
        DATA.addLogicalTypeConversion(new TimeConversions.DateConversion());
        DATA.addLogicalTypeConversion(new TimeConversions.TimeMillisConversion());
        DATA.addLogicalTypeConversion(new TimeConversions.TimestampMillisConversion());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode task = JSON.readTree(line);
            ObjectNode answer = JSON.createObjectNode();
            try {
                if (task.hasNonNull("read")) {
                    answer.set("value", read(Base64.getDecoder().decode(task.get("read").asText()), task.get("reader")));
                } else {
                    answer.put("record", Base64.getEncoder().encodeToString(write(task)));
                }
            } catch (RuntimeException e) {
                answer.put("error", e.toString());
            }
            out.println(JSON.writeValueAsString(answer));
        }
    }

    static JsonNode ask(String path, JsonNode body) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(registry + path));
        if (body != null) {
            request.header("Content-Type", "application/vnd.schemaregistry.v1+json")
                .POST(HttpRequest.BodyPublishers.ofString(JSON.writeValueAsString(body)));
        }
        HttpResponse<String> response = HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() != 200) {
            throw new IllegalStateException(path + ": " + response.statusCode() + " " + response.body());
        }
        return JSON.readTree(response.body());
    }

    static Schema parse(String text, JsonNode references) throws Exception {
        Schema.Parser parser = new Schema.Parser();
        if (references != null) {
            for (JsonNode r : references) {
                JsonNode version = ask("/subjects/" + r.get("subject").asText() + "/versions/" + r.get("version").asText(), null);
                parser.parse(version.get("schema").asText());
            }
        }
        return parser.parse(text);
    }

    static JsonNode read(byte[] record, JsonNode reader) throws Exception {
        ByteBuffer header = ByteBuffer.wrap(record);
        if (header.get() != 0) {
            throw new IllegalStateException("the record doesn't begin with the magic byte 0");
        }
        JsonNode found = ask("/schemas/ids/" + header.getInt(), null);
        Schema written = parse(found.get("schema").asText(), found.get("references"));
        Schema wanted = reader == null || reader.isNull() ? written : new Schema.Parser().parse(reader.asText());
        BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(record, 5, record.length - 5, null);
        Object datum = new GenericDatumReader<Object>(written, wanted, DATA).read(null, decoder);
        if (!decoder.isEnd()) {
            throw new IllegalStateException("bytes are left behind the record");
        }
        return show(datum);
    }

    static JsonNode show(Object v) {
        if (v == null) {
            return NODES.nullNode();
        } else if (v instanceof GenericRecord r) {
            ObjectNode object = NODES.objectNode();
            for (Schema.Field f : r.getSchema().getFields()) {
                object.set(f.name(), show(r.get(f.pos())));
            }
            return object;
        } else if (v instanceof Map<?, ?> map) {
            ObjectNode object = NODES.objectNode();
            map.forEach((key, value) -> object.set(key.toString(), show(value)));
            return object;
        } else if (v instanceof List<?> list) {
            ArrayNode array = NODES.arrayNode();
            list.forEach(item -> array.add(show(item)));
            return array;
        } else if (v instanceof Boolean b) {
            return NODES.booleanNode(b);
        } else if (v instanceof Integer i) {
            return NODES.numberNode(i);
        } else if (v instanceof Long l) {
            return NODES.numberNode(l);
        } else if (v instanceof Float f) {
            return NODES.numberNode(f);
        } else if (v instanceof Double d) {
            return NODES.numberNode(d);
        } else if (v instanceof BigDecimal d) {
            return NODES.textNode(d.toPlainString());
        } else if (v instanceof ByteBuffer bytes) {
            byte[] raw = new byte[bytes.remaining()];
            bytes.duplicate().get(raw);
            return NODES.textNode(Base64.getEncoder().encodeToString(raw));
        } else if (v instanceof GenericData.Fixed fixed) {
            return NODES.textNode(Base64.getEncoder().encodeToString(fixed.bytes()));
        } else if (v instanceof LocalTime time) {
            return NODES.textNode(TIME.format(time));
        } else if (v instanceof Instant instant) {
            return NODES.textNode(TIMESTAMP.format(instant));
        }
        return NODES.textNode(v.toString()); // strings, symbols of enums and dates
    }

    static byte[] write(JsonNode task) throws Exception {
        ObjectNode request = JSON.createObjectNode();
        request.set("schema", task.get("schema"));
        if (task.hasNonNull("references")) {
            request.set("references", task.get("references"));
        }
        int id = ask("/subjects/" + task.get("subject").asText() + "/versions", request).get("id").asInt();
        Schema schema = parse(task.get("schema").asText(), request.get("references"));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(ByteBuffer.allocate(5).put((byte) 0).putInt(id).array());
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        new GenericDatumWriter<Object>(schema, DATA).write(made(schema, task.get("write")), encoder);
        encoder.flush();
        return out.toByteArray();
    }

    static Object made(Schema schema, JsonNode v) {
        String logical = schema.getLogicalType() == null ? "" : schema.getLogicalType().getName();
        switch (logical) {
            case "decimal":
                return new BigDecimal(v.asText());
            case "date":
                return LocalDate.parse(v.asText());
            case "time-millis":
                return LocalTime.parse(v.asText());
            case "timestamp-millis":
                return Instant.parse(v.asText());
            default:
        }
        switch (schema.getType()) {
            case RECORD:
                GenericData.Record record = new GenericData.Record(schema);
                schema.getFields().forEach(f -> record.put(f.pos(), made(f.schema(), v.get(f.name()))));
                return record;
            case ENUM:
                return new GenericData.EnumSymbol(schema, v.asText());
            case FIXED:
                return new GenericData.Fixed(schema, Base64.getDecoder().decode(v.asText()));
            case BYTES:
                return ByteBuffer.wrap(Base64.getDecoder().decode(v.asText()));
            case ARRAY:
                List<Object> list = new ArrayList<>();
                v.forEach(item -> list.add(made(schema.getElementType(), item)));
                return list;
            case MAP:
                Map<String, Object> map = new HashMap<>();
                v.fields().forEachRemaining(e -> map.put(e.getKey(), made(schema.getValueType(), e.getValue())));
                return map;
            case UNION: // of null and another
                return v.isNull() ? null : made(schema.getTypes().stream().filter(s -> s.getType() != Schema.Type.NULL).findFirst().get(), v);
            case NULL:
                return null;
            case BOOLEAN:
                return v.asBoolean();
            case INT:
                return v.asInt();
            case LONG:
                return v.asLong();
            case FLOAT:
                return (float) v.asDouble();
            case DOUBLE:
                return v.asDouble();
            default:
                return v.asText();
        }
    }
}
