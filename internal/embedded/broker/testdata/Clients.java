// What Kafka's own clients do with a broker: java Clients.java HOST:PORT
import java.time.Duration;
import java.util.*;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

public class Clients {
    static final int N = 2000;
    static String addr;

    static void check(String what, Object got, Object want) {
        if (!Objects.equals(got, want)) {
            System.out.println(what + ": got " + got + ", want " + want);
            System.exit(1);
        }
        System.out.println("ok " + what);
    }

    static Map<String, Object> config(Object... pairs) {
        Map<String, Object> m = new HashMap<>(Map.of("bootstrap.servers", addr));
        for (int i = 0; i < pairs.length; i += 2) m.put((String) pairs[i], pairs[i + 1]);
        return m;
    }

    static KafkaConsumer<String, String> consumer(Object... pairs) {
        Map<String, Object> m = config(pairs);
        m.putIfAbsent("auto.offset.reset", "earliest");
        m.putIfAbsent("enable.auto.commit", "false");
        return new KafkaConsumer<>(m, new StringDeserializer(), new StringDeserializer());
    }

    static String refusal(org.apache.kafka.common.KafkaFuture<?> f) throws Exception {
        try {
            f.get();
            return "accepted";
        } catch (ExecutionException e) {
            return e.getCause().getClass().getSimpleName();
        }
    }

    static long positions(KafkaConsumer<String, String> c) {
        return c.assignment().stream().mapToLong(c::position).sum();
    }

    public static void main(String[] args) throws Exception {
        addr = args[0];
        Admin admin = Admin.create(config());
        admin.createTopics(List.of(new NewTopic("java", 3, (short) 1).configs(Map.of("retention.ms", "60000")))).all().get();
        check("exists", refusal(admin.createTopics(List.of(new NewTopic("java", 3, (short) 1))).all()), "TopicExistsException");
        check("bad config", refusal(admin.createTopics(List.of(new NewTopic("bad", 1, (short) 1).configs(Map.of("retention.ms", "x")))).all()), "InvalidConfigurationException");
        check("replication", refusal(admin.createTopics(List.of(new NewTopic("bad", 1, (short) 3))).all()), "InvalidReplicationFactorException");
        admin.createTopics(List.of(new NewTopic("checked", 1, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all().get();
        check("validated only", admin.listTopics().names().get().contains("checked"), false);

        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (var p = new KafkaProducer<>(config("compression.type", codec), new StringSerializer(), new StringSerializer())) {
                for (int i = 0; i < N; i++) {
                    p.send(new ProducerRecord<>("java", "k" + i, codec + i), (m, e) -> { if (e != null) { e.printStackTrace(); System.exit(1); } });
                }
                p.flush();
            }
        }
        Set<String> seen = new HashSet<>();
        var a = consumer("group.id", "java", "group.instance.id", "a");
        var b = consumer("group.id", "java", "partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor,org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
        a.subscribe(List.of("java"));
        b.subscribe(List.of("java"));
        long deadline = System.currentTimeMillis() + 60000;
        while (System.currentTimeMillis() < deadline && (positions(a) + positions(b) < 5 * N || a.assignment().isEmpty() || b.assignment().isEmpty())) {
            a.poll(Duration.ofMillis(100)).forEach(r -> seen.add(r.value()));
            b.poll(Duration.ofMillis(100)).forEach(r -> seen.add(r.value()));
        }
        check("read by two members", seen.size(), 5 * N);
        check("partitions shared", a.assignment().size() + b.assignment().size(), 3);
        a.commitSync();
        b.commitSync();
        var group = admin.describeConsumerGroups(List.of("java")).all().get().get("java");
        check("group", group.state() + " " + group.members().size(), "Stable 2");
        b.close();
        a.close();
        admin.removeMembersFromConsumerGroup("java", new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("a")))).all().get();
        var committed = admin.listConsumerGroupOffsets("java").partitionsToOffsetAndMetadata().get();
        check("committed", committed.values().stream().mapToLong(o -> o.offset()).sum(), (long) 5 * N);
        admin.alterConsumerGroupOffsets("java", Map.of(new TopicPartition("java", 0), new OffsetAndMetadata(1))).all().get();
        admin.deleteConsumerGroupOffsets("java", Set.of(new TopicPartition("java", 1))).all().get();
        check("offsets changed", admin.listConsumerGroupOffsets("java").partitionsToOffsetAndMetadata().get().size(), 2);
        admin.deleteConsumerGroups(List.of("java")).all().get();
        check("groups", admin.listConsumerGroups().all().get().size(), 0);

        var tp = new TopicPartition("java", 0);
        long end = admin.listOffsets(Map.of(tp, OffsetSpec.latest())).all().get().get(tp).offset();
        check("newest record", admin.listOffsets(Map.of(tp, OffsetSpec.maxTimestamp())).all().get().get(tp).offset() < end, true);
        check("at a time", admin.listOffsets(Map.of(tp, OffsetSpec.forTimestamp(1))).all().get().get(tp).offset(), 0L);
        admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(10))).all().get();
        check("trimmed", admin.listOffsets(Map.of(tp, OffsetSpec.earliest())).all().get().get(tp).offset(), 10L);

        var topic = new ConfigResource(ConfigResource.Type.TOPIC, "java");
        admin.incrementalAlterConfigs(Map.of(topic, List.of(
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND),
            new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get();
        var described = admin.describeConfigs(List.of(topic)).all().get().get(topic);
        check("appended", described.get("cleanup.policy").value() + " " + described.get("cleanup.policy").source(), "delete,compact DYNAMIC_TOPIC_CONFIG");
        check("back to the default", described.get("retention.ms").value() + " " + described.get("retention.ms").source(), "604800000 DEFAULT_CONFIG");
        var broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
        check("broker config", admin.describeConfigs(List.of(broker)).all().get().get(broker).get("num.partitions").value(), "1");
        admin.createPartitions(Map.of("java", NewPartitions.increaseTo(4))).all().get();
        check("fewer partitions", refusal(admin.createPartitions(Map.of("java", NewPartitions.increaseTo(2))).all()), "InvalidPartitionsException");
        check("partitions", admin.describeTopics(List.of("java")).allTopicNames().get().get("java").partitions().size(), 4);
        check("nodes", admin.describeCluster().nodes().get().size(), 1);
        check("log dirs", admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).size(), 1);
        admin.deleteTopics(List.of("java")).all().get();
        check("unknown", refusal(admin.deleteTopics(List.of("java")).all()), "UnknownTopicOrPartitionException");

        try (var p = new KafkaProducer<>(config("transactional.id", "t"), new StringSerializer(), new StringSerializer())) {
            p.initTransactions();
            check("transactions", "accepted", "refused");
        } catch (TransactionalIdAuthorizationException e) {
            check("transactions are refused", true, true);
        }
        admin.close();
    }
}
