import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.components.Versioned;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/**
 * Reads a case a line: a record as bytes, the converters that read it, a chain of
 * transformations, and the converters that write it again. Answers with a line that
 * has the bytes of the record, or the error with its causes.
 */
@SuppressWarnings({"rawtypes", "unchecked"})
public class Records {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        System.setOut(System.err); // what libraries print
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode answer = JSON.createObjectNode();
            try {
                run(JSON.readTree(line), answer);
            } catch (Throwable e) {
                answer.removeAll();
                ArrayNode causes = answer.putArray("error");
                for (Throwable t = e; t != null; t = t.getCause()) {
                    causes.addObject().put("class", t.getClass().getName()).put("message", t.getMessage());
                }
            }
            out.println(JSON.writeValueAsString(answer));
        }
        out.flush();
    }

    private static void run(JsonNode test, ObjectNode answer) throws Exception {
        List<Transformation> chain = new ArrayList<>();
        List<Predicate> predicates = new ArrayList<>();
        List<Boolean> negate = new ArrayList<>();
        for (JsonNode step : test.get("steps")) {
            Transformation t = make(step.get("class"));
            t.configure(settings(step.get("config")));
            chain.add(t);
            Predicate p = null;
            if (step.hasNonNull("predicate")) {
                p = make(step.get("predicate").get("class"));
                p.configure(settings(step.get("predicate").get("config")));
            }
            predicates.add(p);
            negate.add(step.hasNonNull("negate") && step.get("negate").booleanValue());
        }
        String topic = test.get("topic").textValue();
        Converter keyIn = converter(test.get("keyIn"), true), valueIn = converter(test.get("valueIn"), false);
        SchemaAndValue key = keyIn.toConnectData(topic, bytes(test.get("key")));
        SchemaAndValue value = valueIn.toConnectData(topic, bytes(test.get("value")));
        ConnectHeaders headers = new ConnectHeaders();
        HeaderConverter headerConverter = header(test.get("header"));
        for (JsonNode h : test.get("headers")) {
            headers.add(h.get("key").textValue(), headerConverter.toConnectHeader(topic, h.get("key").textValue(), bytes(h.get("value"))));
        }
        Integer partition = test.hasNonNull("partition") ? test.get("partition").intValue() : null;
        Long timestamp = test.hasNonNull("timestamp") ? test.get("timestamp").longValue() : null;
        ConnectRecord record;
        if (test.get("sink").booleanValue()) {
            record = new SinkRecord(topic, partition, key.schema(), key.value(), value.schema(), value.value(),
                test.get("offset").longValue(), timestamp, TimestampType.CREATE_TIME, headers);
        } else {
            record = new SourceRecord(Map.of("p", "x"), Map.of("o", 1L), topic, partition, key.schema(), key.value(), value.schema(), value.value(), timestamp, headers);
        }
        for (int i = 0; i < chain.size() && record != null; i++) {
            if (predicates.get(i) == null || predicates.get(i).test(record) != negate.get(i)) {
                record = (ConnectRecord) chain.get(i).apply(record);
            }
        }
        if (record == null) {
            answer.put("dropped", true);
            return;
        }
        answer.put("topic", record.topic()).put("partition", record.kafkaPartition()).put("timestamp", record.timestamp());
        answer.put("key", converter(test.get("keyOut"), true).fromConnectData(record.topic(), record.keySchema(), record.key()));
        answer.put("value", converter(test.get("valueOut"), false).fromConnectData(record.topic(), record.valueSchema(), record.value()));
        ArrayNode list = answer.putArray("headers");
        HeaderConverter headerOut = header(test.get("headerOut"));
        for (Object o : record.headers()) {
            Header h = (Header) o;
            list.addObject().put("key", h.key()).put("value", headerOut.fromConnectHeader(record.topic(), h.key(), h.schema(), h.value()));
        }
    }

    private static <T> T make(JsonNode name) throws Exception {
        return (T) Class.forName(name.textValue()).getDeclaredConstructor().newInstance();
    }

    private static Map<String, String> settings(JsonNode node) {
        Map<String, String> all = new HashMap<>();
        for (Iterator<Map.Entry<String, JsonNode>> it = node.fields(); it.hasNext(); ) {
            Map.Entry<String, JsonNode> e = it.next();
            all.put(e.getKey(), e.getValue().textValue());
        }
        return all;
    }

    private static Converter converter(JsonNode node, boolean key) throws Exception {
        Converter c = make(node.get("class"));
        c.configure(settings(node.get("config")), key);
        return c;
    }

    private static HeaderConverter header(JsonNode node) throws Exception {
        HeaderConverter c = make(node.get("class"));
        Map<String, String> all = settings(node.get("config"));
        all.put("converter.type", "header");
        c.configure(all);
        return c;
    }

    private static byte[] bytes(JsonNode node) throws Exception {
        return node == null || node.isNull() ? null : node.binaryValue();
    }
}
