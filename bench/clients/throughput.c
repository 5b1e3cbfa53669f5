/* How fast records go in and come out, with librdkafka.
 *
 *   throughput produce BOOTSTRAP TOPIC RECORDS BYTES [NAME=VALUE ...]
 *   throughput consume BOOTSTRAP TOPIC RECORDS PARTITIONS [NAME=VALUE ...]
 *
 * Prints one line of JSON: records, bytes of values, seconds. Fails unless every record was delivered, or received. */
#include "common.h"

static long delivered, refused;

static void onDelivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
  (void)producer, (void)opaque;
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) delivered++;
  else if (refused++ == 0) fprintf(stderr, "%s\n", rd_kafka_err2str(message->err));
}

static void print(long records, long bytes, int64_t ns) {
  printf("{\"records\":%ld,\"bytes\":%ld,\"seconds\":%.6f}\n", records, bytes, (double)ns / 1e9);
  fflush(stdout);
}

static int produce(const char *bootstrap, const char *topicName, long records, size_t bytes, int count, char **settings) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", bootstrap);
  set(conf, "acks", "all");
  set(conf, "linger.ms", "5");
  set(conf, "batch.size", "131072");
  set(conf, "queue.buffering.max.messages", "1000000");
  set(conf, "queue.buffering.max.kbytes", "262144");
  setAll(conf, count, settings);
  rd_kafka_conf_set_dr_msg_cb(conf, onDelivery);
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, conf);
  rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, topicName, NULL);
  const struct rd_kafka_metadata *metadata;
  if (rd_kafka_metadata(producer, 0, topic, &metadata, 30000)) fail("no metadata");
  char *value = malloc(bytes);
  for (size_t i = 0; i < bytes; i++) value[i] = (char)('!' + (i * 7919 + i / 61) % 90);
  int64_t start = nowNs();
  for (long i = 0; i < records; i++) {
    while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value, bytes, NULL, 0, NULL) == -1) rd_kafka_poll(producer, 10);
    if ((i & 1023) == 0) rd_kafka_poll(producer, 0);
  }
  while (rd_kafka_outq_len(producer) > 0 && nowNs() - start < 600000000000LL) rd_kafka_poll(producer, 20);
  print(delivered, delivered * (long)bytes, nowNs() - start);
  _exit(delivered == records ? 0 : 1);
}

static int consume(const char *bootstrap, const char *topic, long records, int partitions, int count, char **settings) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", bootstrap);
  set(conf, "group.id", "throughput");
  set(conf, "enable.auto.commit", "false");
  set(conf, "queued.max.messages.kbytes", "262144");
  setAll(conf, count, settings);
  rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, conf);
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
  for (int i = 0; i < partitions; i++) rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
  static rd_kafka_message_t *messages[10000];
  long received = 0, bytes = 0;
  int64_t start = nowNs();
  rd_kafka_assign(consumer, list);
  while (received < records && nowNs() - start < 600000000000LL) {
    ssize_t got = rd_kafka_consume_batch_queue(queue, 100, messages, 10000);
    for (ssize_t i = 0; i < got; i++) {
      if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) received++, bytes += (long)messages[i]->len;
      rd_kafka_message_destroy(messages[i]);
    }
  }
  print(received, bytes, nowNs() - start);
  _exit(received == records ? 0 : 1);
}

int main(int argc, char **argv) {
  if (argc < 6) fail("usage: see the head of the source");
  int isProducer = strcmp(argv[1], "produce") == 0;
  return isProducer ? produce(argv[2], argv[3], atol(argv[4]), (size_t)atol(argv[5]), argc - 6, argv + 6)
                    : consume(argv[2], argv[3], atol(argv[4]), atoi(argv[5]), argc - 6, argv + 6);
}
