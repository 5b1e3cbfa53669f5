import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The agent (test/interop/agent.ts) for Kafka's own client: Agent BOOTSTRAP. */
public final class Agent {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration LONG = Duration.ofSeconds(30);
  private final String bootstrap;
  private final Map<String, KafkaProducer<String, String>> producers = new HashMap<>();
  private final Transactions transactions;
  private Member member;

  private Agent(String bootstrap) {
    this.bootstrap = bootstrap;
    this.transactions = new Transactions(common());
  }

  public static void main(String[] args) throws Exception {
    Agent agent = new Agent(args[args.length - 1]);
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      JsonNode asked = JSON.readTree(line);
      ObjectNode answer = JSON.createObjectNode().put("id", asked.get("id").asInt());
      try {
        agent.obey(asked, answer);
      } catch (Exception failure) {
        failure.printStackTrace();
        answer.put("error", failure.toString());
      }
      say(answer);
    }
    System.exit(0);
  }

  private static synchronized void say(ObjectNode what) {
    System.out.write((what + "\n").getBytes(StandardCharsets.UTF_8), 0, (what + "\n").getBytes(StandardCharsets.UTF_8).length);
    System.out.flush();
  }

  private void obey(JsonNode asked, ObjectNode answer) throws Exception {
    switch (asked.get("do").asText()) {
      case "createTopic" -> createTopic(asked);
      case "produce" -> produce(asked);
      case "read" -> answer.set("records", read(asked));
      case "offsetsForTime" -> answer.set("offsets", offsetsForTime(asked));
      case "join" -> member = new Member(asked);
      case "commit" -> member.commit(asked);
      case "leave" -> member.leave();
      default -> transactions.obey(asked);
    }
  }

  private Properties common() {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("key.serializer", StringSerializer.class.getName());
    settings.put("value.serializer", StringSerializer.class.getName());
    settings.put("key.deserializer", StringDeserializer.class.getName());
    settings.put("value.deserializer", StringDeserializer.class.getName());
    return settings;
  }

  private void createTopic(JsonNode asked) throws Exception {
    try (Admin admin = Admin.create(common())) {
      NewTopic topic = new NewTopic(asked.get("topic").asText(), asked.get("partitions").asInt(), (short) 1);
      admin.createTopics(List.of(topic)).all().get(30, TimeUnit.SECONDS);
    }
  }

  private KafkaProducer<String, String> producer(String compression, boolean idempotent) {
    return producers.computeIfAbsent(compression + idempotent, name -> {
      Properties settings = common();
      settings.put("compression.type", compression);
      settings.put("acks", "all");
      settings.put("enable.idempotence", String.valueOf(idempotent));
      settings.put("max.in.flight.requests.per.connection", "5");
      // Many small requests in flight where order is looked at, few large ones elsewhere.
      settings.put("linger.ms", idempotent ? "0" : "20");
      return new KafkaProducer<>(settings);
    });
  }

  private void produce(JsonNode asked) throws Exception {
    String topic = asked.get("topic").asText();
    KafkaProducer<String, String> producer = producer(asked.get("compression").asText(), asked.get("idempotent").asBoolean());
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (JsonNode record : asked.get("records")) {
      Long timestamp = record.hasNonNull("timestamp") ? record.get("timestamp").asLong() : null;
      ProducerRecord<String, String> made = new ProducerRecord<>(topic, record.get("partition").asInt(), timestamp,
          record.get("key").textValue(), record.get("value").textValue());
      if (record.has("headers")) {
        record.get("headers").properties().forEach(header ->
            made.headers().add(header.getKey(), header.getValue().asText().getBytes(StandardCharsets.UTF_8)));
      }
      sent.add(producer.send(made));
    }
    producer.flush();
    for (Future<RecordMetadata> one : sent) one.get(60, TimeUnit.SECONDS);
  }

  private static ObjectNode shown(ConsumerRecord<String, String> record) {
    ObjectNode headers = JSON.createObjectNode();
    for (Header header : record.headers()) headers.put(header.key(), new String(header.value(), StandardCharsets.UTF_8));
    ObjectNode made = JSON.createObjectNode().put("partition", record.partition()).put("offset", record.offset())
        .put("key", record.key()).put("value", record.value()).put("timestamp", record.timestamp());
    made.set("headers", headers);
    return made;
  }

  private ArrayNode read(JsonNode asked) {
    Properties settings = common();
    settings.put("auto.offset.reset", "none");
    ArrayNode records = JSON.createArrayNode();
    int count = asked.get("count").asInt();
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
      TopicPartition from = new TopicPartition(asked.get("topic").asText(), asked.get("partition").asInt());
      consumer.assign(List.of(from));
      consumer.seek(from, asked.get("offset").asLong());
      long deadline = System.nanoTime() + LONG.toNanos();
      while (records.size() < count) {
        if (System.nanoTime() > deadline) throw new IllegalStateException("only " + records.size() + " records");
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
          if (records.size() < count) records.add(shown(record));
        }
      }
    }
    return records;
  }

  private ObjectNode offsetsForTime(JsonNode asked) {
    ObjectNode offsets = JSON.createObjectNode();
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(common())) {
      Map<TopicPartition, Long> wanted = new HashMap<>();
      for (PartitionInfo partition : consumer.partitionsFor(asked.get("topic").asText(), LONG)) {
        wanted.put(new TopicPartition(partition.topic(), partition.partition()), asked.get("timestamp").asLong());
      }
      for (Map.Entry<TopicPartition, OffsetAndTimestamp> found : consumer.offsetsForTimes(wanted, LONG).entrySet()) {
        offsets.put(String.valueOf(found.getKey().partition()), found.getValue() == null ? -1 : found.getValue().offset());
      }
    }
    return offsets;
  }

  /** A consumer belongs to one thread; whatever is asked of it is done between two polls. */
  private final class Member {
    private final KafkaConsumer<String, String> consumer;
    private final BlockingQueue<Runnable> tasks = new LinkedBlockingQueue<>();
    private final TreeSet<Integer> held = new TreeSet<>();
    private final Thread thread;
    private volatile boolean leaving;

    Member(JsonNode asked) {
      Properties settings = common();
      String protocol = asked.get("protocol").asText();
      settings.put("group.id", asked.get("group").asText());
      settings.put("group.protocol", protocol);
      settings.put("enable.auto.commit", "false");
      settings.put("auto.offset.reset", "earliest");
      settings.put("fetch.max.wait.ms", "100");
      settings.put("metadata.max.age.ms", "1000");
      settings.put("isolation.level", asked.path("isolation").asText("read_uncommitted"));
      if (protocol.equals("classic")) {
        settings.put("session.timeout.ms", asked.get("sessionTimeoutMs").asText());
        settings.put("heartbeat.interval.ms", "300");
      }
      consumer = new KafkaConsumer<>(settings);
      ConsumerRebalanceListener listener = new ConsumerRebalanceListener() {
        @Override public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
          changed(partitions, true);
        }

        @Override public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
          changed(partitions, false);
        }
      };
      if (asked.hasNonNull("topic")) consumer.subscribe(List.of(asked.get("topic").asText()), listener);
      else if (protocol.equals("classic")) consumer.subscribe(Pattern.compile(asked.get("pattern").asText()), listener);
      else consumer.subscribe(new SubscriptionPattern(asked.get("pattern").asText()), listener);
      thread = new Thread(this::run, "member");
      thread.setDaemon(true);
      thread.start();
    }

    private void changed(Collection<TopicPartition> partitions, boolean assigned) {
      for (TopicPartition partition : partitions) {
        if (assigned) held.add(partition.partition());
        else held.remove(partition.partition());
      }
      ArrayNode numbers = JSON.createArrayNode();
      held.forEach(numbers::add);
      ObjectNode said = JSON.createObjectNode();
      said.set("partitions", numbers);
      say(said);
    }

    private void run() {
      while (!leaving) {
        for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) task.run();
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
          ObjectNode said = JSON.createObjectNode();
          said.set("record", shown(record));
          say(said);
        }
      }
      consumer.close();
    }

    private <T> void inThread(Callable<T> work) throws Exception {
      FutureTask<T> task = new FutureTask<>(work);
      tasks.add(task);
      task.get(30, TimeUnit.SECONDS);
    }

    void commit(JsonNode asked) throws Exception {
      Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
      asked.get("offsets").properties().forEach(entry -> offsets.put(
          new TopicPartition(asked.get("topic").asText(), Integer.parseInt(entry.getKey())), new OffsetAndMetadata(entry.getValue().asLong())));
      inThread(() -> {
        consumer.commitSync(offsets, LONG);
        return null;
      });
    }

    void leave() throws Exception {
      leaving = true;
      thread.join(30_000);
    }
  }
}
