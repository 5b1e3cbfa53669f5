import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Workers of test/transactions/worker.ts in Java: Pipeline OPTIONS. Members of one group, each with a transactional id. */
public final class Pipeline {
  private final JsonNode options;
  private final String name;
  private final String run = Long.toHexString(System.nanoTime());
  private int count;

  private Pipeline(JsonNode options, int number) {
    this.options = options;
    name = options.get("name").asText() + "-" + number;
  }

  public static void main(String[] args) throws Exception {
    JsonNode options = new ObjectMapper().readTree(args[args.length - 1]);
    for (int number = 0; number < options.get("workers").asInt(); number++) {
      Pipeline pipeline = new Pipeline(options, number);
      new Thread(pipeline::work, "worker " + number).start();
    }
    while (System.in.read() >= 0) continue;
    Runtime.getRuntime().halt(0);
  }

  private static synchronized void say(String what, String token) {
    System.out.println("{\"" + what + "\":\"" + token.replace('"', '\'').replace('\n', ' ') + "\"}");
  }

  /** Whatever goes wrong: begins anew, with what is committed then. */
  private void work() {
    for (;;) {
      try {
        transformAll();
      } catch (Exception failure) {
        say("trouble", name + ": " + failure);
      }
    }
  }

  private Properties common() {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", options.get("bootstrap").asText());
    settings.put("key.serializer", StringSerializer.class.getName());
    settings.put("value.serializer", StringSerializer.class.getName());
    settings.put("key.deserializer", StringDeserializer.class.getName());
    settings.put("value.deserializer", StringDeserializer.class.getName());
    return settings;
  }

  private KafkaProducer<String, String> producer() {
    Properties settings = common();
    settings.put("transactional.id", name);
    settings.put("transaction.timeout.ms", options.get("timeoutMs").asText());
    settings.put("delivery.timeout.ms", "30000");
    settings.put("request.timeout.ms", "5000");
    settings.put("linger.ms", "0");
    return new KafkaProducer<>(settings);
  }

  private KafkaConsumer<String, String> consumer() {
    Properties settings = common();
    settings.put("group.id", options.get("group").asText());
    settings.put("group.protocol", "consumer");
    settings.put("isolation.level", "read_committed");
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", "false");
    settings.put("max.poll.records", options.get("recordsMax").asText());
    return new KafkaConsumer<>(settings);
  }

  private void transformAll() throws Exception {
    try (KafkaProducer<String, String> producer = producer(); KafkaConsumer<String, String> consumer = consumer()) {
      producer.initTransactions();
      consumer.subscribe(List.of(options.get("input").asText()));
      for (;;) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        consumer.poll(Duration.ofMillis(200)).forEach(records::add);
        if (!records.isEmpty()) transform(producer, consumer, records);
      }
    }
  }

  private void transform(KafkaProducer<String, String> producer, KafkaConsumer<String, String> consumer,
      Collection<ConsumerRecord<String, String>> records) {
    String token = name + "/" + run + "/" + count++;
    int outputs = options.get("outputPartitions").asInt();
    int size = records.size() + 1;
    int index = 0;
    int to = 0;
    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
    Map<TopicPartition, Long> firsts = new HashMap<>();
    producer.beginTransaction();
    for (ConsumerRecord<String, String> record : records) {
      to = (int) ((record.partition() + record.offset()) % outputs);
      send(producer, to, token + " " + index++ + " " + size + " " + record.partition() + ":" + record.offset());
      TopicPartition from = new TopicPartition(record.topic(), record.partition());
      offsets.put(from, new OffsetAndMetadata(record.offset() + 1));
      firsts.putIfAbsent(from, record.offset());
    }
    // In another partition than the last one, so that there are always two.
    send(producer, (to + 1) % outputs, token + " " + index + " " + size + " -");
    producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
    if (count % options.get("abortEvery").asInt() == 0) {
      producer.flush();
      producer.abortTransaction();
      say("aborted", token);
      firsts.forEach(consumer::seek);
    } else {
      producer.commitTransaction();
      say("committed", token);
    }
  }

  private void send(KafkaProducer<String, String> producer, int partition, String value) {
    producer.send(new ProducerRecord<>(options.get("output").asText(), partition, null, value));
  }
}
