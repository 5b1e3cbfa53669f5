/* What a transaction costs: rounds of records that are acknowledged together, in a transaction or without one.
 *
 *   transactions plain BOOTSTRAP TOPIC ROUNDS RECORDS BYTES [NAME=VALUE ...]
 *   transactions transactional BOOTSTRAP TOPIC ROUNDS RECORDS BYTES [NAME=VALUE ...]
 *
 * Plain rounds are of an idempotent producer and end when all their records are acknowledged, transactional ones when they
 * are committed. Prints one line of JSON: rounds, seconds, and of each round's time p50 and p99 in microseconds. */
#include "common.h"

static long refused;

static void onDelivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
  (void)producer, (void)opaque;
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && refused++ == 0) fprintf(stderr, "%s\n", rd_kafka_err2str(message->err));
}

static void check(rd_kafka_error_t *error) {
  if (error != NULL) fail(rd_kafka_error_string(error));
}

static int byTime(const void *one, const void *other) {
  int64_t difference = *(const int64_t *)one - *(const int64_t *)other;
  return (difference > 0) - (difference < 0);
}

int main(int argc, char **argv) {
  if (argc < 7) fail("usage: see the head of the source");
  int isTransactional = strcmp(argv[1], "transactional") == 0;
  long rounds = atol(argv[4]), records = atol(argv[5]);
  size_t bytes = (size_t)atol(argv[6]);
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", argv[2]);
  set(conf, "enable.idempotence", "true");
  // The end of a round sends what is there.
  set(conf, "linger.ms", "5");
  set(conf, "batch.size", "131072");
  if (isTransactional) set(conf, "transactional.id", argv[3]);
  setAll(conf, argc - 7, argv + 7);
  rd_kafka_conf_set_dr_msg_cb(conf, onDelivery);
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, conf);
  if (isTransactional) check(rd_kafka_init_transactions(producer, 30000));
  rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, argv[3], NULL);
  const struct rd_kafka_metadata *metadata;
  if (rd_kafka_metadata(producer, 0, topic, &metadata, 30000)) fail("no metadata");
  char *value = malloc(bytes);
  for (size_t i = 0; i < bytes; i++) value[i] = (char)('!' + (i * 7919 + i / 61) % 90);
  int64_t *took = malloc(sizeof *took * (size_t)rounds), start = nowNs();
  for (long round = 0; round < rounds; round++) {
    int64_t began = nowNs();
    if (isTransactional) check(rd_kafka_begin_transaction(producer));
    for (long i = 0; i < records; i++)
      while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value, bytes, NULL, 0, NULL) == -1) rd_kafka_poll(producer, 10);
    if (isTransactional) check(rd_kafka_commit_transaction(producer, 60000));
    else if (rd_kafka_flush(producer, 60000) != RD_KAFKA_RESP_ERR_NO_ERROR) fail("not everything was acknowledged");
    took[round] = nowNs() - began;
  }
  double seconds = (double)(nowNs() - start) / 1e9;
  if (refused > 0) return 1;
  qsort(took, (size_t)rounds, sizeof *took, byTime);
  printf("{\"rounds\":%ld,\"seconds\":%.6f,\"p50\":%lld,\"p99\":%lld}\n", rounds, seconds, (long long)took[rounds / 2] / 1000,
         (long long)took[rounds * 99 / 100] / 1000);
  fflush(stdout);
  _exit(0);
}
