import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The steady client (test/interop/steady-client.ts) of Kafka's own library: Steady OPTIONS, all else by default. */
public final class Steady {
  private static final ObjectMapper JSON = new ObjectMapper();
  private final String topic;
  private final int partitions;
  private final long everyMs;
  private final JsonNode options;
  private volatile boolean isProducing = true;
  private volatile boolean isReading = true;

  private Steady(JsonNode options) {
    this.options = options;
    topic = options.get("topic").asText();
    partitions = options.get("partitions").asInt();
    everyMs = options.get("everyMs").asLong();
  }

  public static void main(String[] args) throws Exception {
    Steady steady = new Steady(JSON.readTree(args[args.length - 1]));
    Thread reading = started(() -> steady.orSay("consumer", steady::read));
    Thread producing = started(() -> steady.orSay("producer", steady::produce));
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    input.readLine();
    steady.isProducing = false;
    producing.join();
    say("produced", JSON.createArrayNode());
    input.readLine();
    steady.isReading = false;
    reading.join();
    System.exit(0);
  }

  private static Thread started(Runnable work) {
    Thread thread = new Thread(work);
    thread.start();
    return thread;
  }

  private interface Work {
    void carryOut() throws Exception;
  }

  private void orSay(String who, Work work) {
    try {
      work.carryOut();
    } catch (Exception failure) {
      failure.printStackTrace();
      say("error", JSON.createArrayNode().add(who + ": " + failure));
    }
  }

  private static synchronized void say(String what, ArrayNode facts) {
    ObjectNode said = JSON.createObjectNode();
    said.set(what, facts);
    System.out.println(said);
    System.out.flush();
  }

  private Properties settings(String of) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", options.get("bootstrap").asText());
    options.get(of).properties().forEach(entry -> settings.put(entry.getKey(), entry.getValue().asText()));
    return settings;
  }

  private void produce() throws InterruptedException {
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings("producer"), new StringSerializer(), new StringSerializer())) {
      long due = System.currentTimeMillis();
      for (int number = 0; isProducing; number++, due += everyMs) {
        for (int partition = 0; partition < partitions; partition++) send(producer, partition, number);
        Thread.sleep(Math.max(due + everyMs - System.currentTimeMillis(), 0));
      }
    }
  }

  private void send(KafkaProducer<String, String> producer, int partition, int number) {
    long sentAt = System.currentTimeMillis();
    producer.send(new ProducerRecord<>(topic, partition, null, String.valueOf(number)), (metadata, failure) -> {
      if (failure != null) say("error", JSON.createArrayNode().add("delivery of " + partition + "/" + number + ": " + failure));
      else say("acked", JSON.createArrayNode().add(partition).add(number).add(metadata.offset()).add(sentAt).add(System.currentTimeMillis()));
    });
  }

  private void read() {
    Properties settings = settings("consumer");
    settings.put("group.id", options.get("group").asText());
    settings.put("auto.offset.reset", "earliest");
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
        @Override public void onPartitionsAssigned(Collection<TopicPartition> given) {
          say("assigned", numbersOf(given));
        }

        @Override public void onPartitionsRevoked(Collection<TopicPartition> taken) {
          say("revoked", numbersOf(taken));
        }
      });
      while (isReading) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
          say("read", JSON.createArrayNode().add(record.partition()).add(record.offset()).add(Integer.parseInt(record.value()))
              .add(System.currentTimeMillis()));
        }
      }
    }
  }

  private static ArrayNode numbersOf(Collection<TopicPartition> partitions) {
    ArrayNode numbers = JSON.createArrayNode();
    partitions.stream().map(TopicPartition::partition).sorted().forEach(numbers::add);
    return numbers;
  }
}
