import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;

/** The part of the agent that has a transactional producer (test/interop/transactional-agent.ts). */
final class Transactions {
  private static final Duration LONG = Duration.ofSeconds(30);
  private final Properties common;
  private KafkaProducer<String, String> producer;

  Transactions(Properties common) {
    this.common = common;
  }

  private KafkaProducer<String, String> made(String transactionalId, int timeoutMs) {
    Properties settings = new Properties();
    settings.putAll(common);
    settings.put("transactional.id", transactionalId);
    settings.put("transaction.timeout.ms", String.valueOf(timeoutMs));
    KafkaProducer<String, String> made = new KafkaProducer<>(settings);
    made.initTransactions();
    return made;
  }

  void obey(JsonNode asked) throws Exception {
    switch (asked.get("do").asText()) {
      case "txnOpen" -> producer = made(asked.get("transactionalId").asText(), asked.get("timeoutMs").asInt());
      case "txnBegin" -> producer.beginTransaction();
      case "txnSend" -> send(asked);
      case "txnCommit" -> producer.commitTransaction();
      case "txnAbort" -> producer.abortTransaction();
      case "txnClose" -> producer.close();
      case "transform" -> transform(asked);
      default -> throw new IllegalArgumentException("nobody knows how to " + asked.get("do"));
    }
  }

  private void send(JsonNode asked) throws Exception {
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (JsonNode record : asked.get("records")) {
      sent.add(producer.send(new ProducerRecord<>(asked.get("topic").asText(), record.get("partition").asInt(), null, record.get("value").asText())));
    }
    producer.flush();
    for (Future<RecordMetadata> one : sent) one.get(60, TimeUnit.SECONDS);
  }

  /** Takes records as a member of a group, puts them on, and ends the transaction, with the group's offsets in it. */
  private void transform(JsonNode asked) throws Exception {
    Properties settings = new Properties();
    settings.putAll(common);
    settings.put("group.id", asked.get("group").asText());
    settings.put("group.protocol", asked.get("protocol").asText());
    settings.put("isolation.level", "read_committed");
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", "false");
    settings.put("max.poll.records", "1");
    int count = asked.get("count").asInt();
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings);
        KafkaProducer<String, String> ending = made(asked.get("transactionalId").asText(), 60_000)) {
      consumer.subscribe(List.of(asked.get("from").asText()));
      ending.beginTransaction();
      Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
      long deadline = System.nanoTime() + LONG.toNanos();
      for (int taken = 0; taken < count; ) {
        if (System.nanoTime() > deadline) throw new IllegalStateException("only " + taken + " records");
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
          ending.send(new ProducerRecord<>(asked.get("to").asText(), null, record.value() + " transformed"));
          offsets.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
          taken++;
        }
      }
      ending.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
      if (asked.get("end").asText().equals("commit")) ending.commitTransaction();
      else ending.abortTransaction();
    }
  }
}
