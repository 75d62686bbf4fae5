// What Apache Avro says of pairs of schemas. Each line of the input is {"reader": text, "writer": text}; the answer
// to it is a line {"reader", "writer": texts that Avro makes of them, "found": [{"kind", "path", "info"}]}, or
// {"error": message} when a schema can't be parsed.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;

public class Compatibility {
    public static void main(String[] args) throws Exception {
        ObjectMapper json = new ObjectMapper();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode pair = json.readTree(line);
            ObjectNode answer = json.createObjectNode();
            try {
                Schema reader = new Schema.Parser().parse(pair.get("reader").asText());
                Schema writer = new Schema.Parser().parse(pair.get("writer").asText());
                answer.put("reader", reader.toString()).put("writer", writer.toString());
                ArrayNode found = answer.putArray("found");
                for (SchemaCompatibility.Incompatibility i :
                        SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getResult().getIncompatibilities()) {
                    found.addObject().put("kind", i.getType().name()).put("path", i.getLocation()).put("info", i.getMessage());
                }
            } catch (RuntimeException e) {
                answer.put("error", String.valueOf(e.getMessage()));
            }
            out.println(json.writeValueAsString(answer));
        }
        out.flush();
    }
}
