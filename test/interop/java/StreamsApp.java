import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.StandbyUpdateListener;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.processor.TaskId;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * One instance of the applications of test/interop/streams/streams.test.ts: StreamsApp OPTIONS. A word count, a count by window
 * and a join of a stream with a table, exactly_once_v2. Says {"restored":[topic, partition, from, records]},
 * {"standby":[topic, partition, records]}, {"state":NAME} and {"trouble":TEXT}, and ends with its input.
 */
public final class StreamsApp {
  private static synchronized void say(String what, Object value) {
    String text = value instanceof Object[] parts
        ? Arrays.stream(parts).map(part -> part instanceof Number ? part.toString() : "\"" + part + "\"").toList().toString()
        : "\"" + value.toString().replace('"', '\'').replace('\n', ' ') + "\"";
    System.out.println("{\"" + what + "\":" + text + "}");
  }

  private static StreamsBuilder applications() {
    StreamsBuilder builder = new StreamsBuilder();
    builder.<String, String>stream("lines")
        .flatMapValues(line -> Arrays.asList(line.split(" ")))
        .groupBy((key, word) -> word, Grouped.as("words"))
        .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts"))
        .toStream().mapValues(String::valueOf).to("word-counts");
    builder.<String, String>stream("clicks")
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofHours(24)))
        .count()
        .toStream()
        .map((window, count) -> KeyValue.pair(window.key() + "@" + window.window().start(), String.valueOf(count)))
        .to("window-counts", Produced.with(Serdes.String(), Serdes.String()));
    KTable<String, String> customers = builder.table("customers");
    builder.<String, String>stream("orders").join(customers, (order, customer) -> order + " " + customer).to("joined");
    return builder;
  }

  private static Properties settings(JsonNode options) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, options.get("applicationId").asText());
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("bootstrap").asText());
    settings.put(StreamsConfig.STATE_DIR_CONFIG, options.get("stateDirectory").asText());
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
    settings.put(StreamsConfig.NUM_STANDBY_REPLICAS_CONFIG, 1);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, options.get("replicationFactor").asInt());
    settings.put(StreamsConfig.REPARTITION_PURGE_INTERVAL_MS_CONFIG, 1000);
    // Every update is passed on, so that results show each step and not only where it ends.
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
    settings.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 6000);
    settings.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), 500);
    settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
    settings.put(StreamsConfig.consumerPrefix("metadata.max.age.ms"), 2000);
    options.get("topicConfigs").properties().forEach(entry -> settings.put(StreamsConfig.topicPrefix(entry.getKey()), entry.getValue().asText()));
    return settings;
  }

  public static void main(String[] args) throws Exception {
    JsonNode options = new ObjectMapper().readTree(args[args.length - 1]);
    KafkaStreams streams = new KafkaStreams(applications().build(), settings(options));
    streams.setGlobalStateRestoreListener(new Restores());
    streams.setStandbyUpdateListener(new Standbys());
    streams.setStateListener((now, before) -> say("state", now));
    streams.setUncaughtExceptionHandler(failure -> {
      say("trouble", failure + " " + failure.getCause());
      return StreamThreadExceptionResponse.REPLACE_THREAD;
    });
    streams.start();
    while (System.in.read() >= 0) continue;
    streams.close(Duration.ofSeconds(20));
    System.exit(0);
  }

  private static final class Restores implements StateRestoreListener {
    private final Map<TopicPartition, Long> starts = new java.util.concurrent.ConcurrentHashMap<>();

    @Override public void onRestoreStart(TopicPartition at, String store, long from, long to) {
      starts.put(at, from);
    }

    @Override public void onBatchRestored(TopicPartition at, String store, long end, long count) {
    }

    @Override public void onRestoreEnd(TopicPartition at, String store, long total) {
      say("restored", new Object[] {at.topic(), at.partition(), starts.getOrDefault(at, -1L), total});
    }
  }

  private static final class Standbys implements StandbyUpdateListener {
    @Override public void onUpdateStart(TopicPartition at, String store, long from) {
    }

    @Override public void onBatchLoaded(TopicPartition at, String store, TaskId task, long end, long size, long last) {
      say("standby", new Object[] {at.topic(), at.partition(), size});
    }

    @Override public void onUpdateSuspended(TopicPartition at, String store, long offset, long end, SuspendReason reason) {
    }
  }
}
