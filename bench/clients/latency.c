/* How long records take, with librdkafka.
 *
 *   latency steady BOOTSTRAP TOPIC RATE SECONDS BYTES   from when a record was due to be sent to when it was received
 *   latency first BOOTSTRAP TOPIC                       from now until a record is acknowledged; the broker may not be up yet
 *   latency gap BOOTSTRAP TOPIC SECONDS                 the longest time in which nothing was acknowledged, while something was due
 *
 * Prints one line of JSON; times are microseconds. In the first, records of the first two seconds do not count. A record is stamped with
 * when it was due, not with when it was sent, so a broker that stalls cannot hide it by slowing the sender down. */
#include "common.h"

enum { warmUpSeconds = 2 };

static volatile int isDone, isReady;
static int64_t *latencies;
static long received, capacity, refused, acknowledged;
static int64_t acknowledgedAt, gap;

static void onDelivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
  (void)producer, (void)opaque;
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) refused++;
  else if (message->_private != NULL) *(int *)message->_private = 1;
}

static void onGapDelivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
  (void)producer, (void)opaque;
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (refused++ == 0) fprintf(stderr, "%s\n", rd_kafka_err2str(message->err));
    return;
  }
  int64_t now = nowNs();
  if (acknowledged++ > 0 && now - acknowledgedAt > gap) gap = now - acknowledgedAt;
  acknowledgedAt = now;
}

static void *poll(void *producer) {
  while (!isDone) rd_kafka_poll(producer, 50);
  return NULL;
}

struct reading {
  const char *bootstrap, *topic;
};

static void *receive(void *given) {
  struct reading *reading = given;
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", reading->bootstrap);
  set(conf, "group.id", "latency");
  set(conf, "enable.auto.commit", "false");
  rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, conf);
  rd_kafka_poll_set_consumer(consumer);
  const struct rd_kafka_metadata *metadata;
  rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer, reading->topic, NULL);
  if (rd_kafka_metadata(consumer, 0, topic, &metadata, 30000)) fail("no metadata");
  int partitions = metadata->topics[0].partition_cnt;
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
  for (int i = 0; i < partitions; i++) rd_kafka_topic_partition_list_add(list, reading->topic, i)->offset = RD_KAFKA_OFFSET_END;
  rd_kafka_assign(consumer, list);
  int64_t start = nowNs();
  while (!isDone) {
    rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
    /* By then the consumer waits at the end of every partition. */
    if (nowNs() - start > 1500000000LL) isReady = 1;
    if (message == NULL) continue;
    int64_t due;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      memcpy(&due, message->payload, sizeof due);
      if (due > 0 && received < capacity) latencies[received++] = nowNs() - due;
    }
    rd_kafka_message_destroy(message);
  }
  return NULL;
}

static int ascending(const void *one, const void *other) {
  int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
  return (a > b) - (a < b);
}

static double percentile(double share) {
  return (double)latencies[(long)(share * (double)(received - 1))] / 1e3;
}

static void waitUntil(int64_t due) {
  for (int64_t left = due - nowNs(); left > 0; left = due - nowNs()) {
    /* A sleep wakes up late by tens of microseconds, so the rest is spun. */
    if (left > 80000) nanosleep(&(struct timespec){.tv_nsec = left - 60000}, NULL);
  }
}

static int steady(const char *bootstrap, const char *topic, int rate, int seconds, size_t bytes) {
  capacity = (long)rate * seconds;
  latencies = malloc((size_t)capacity * sizeof *latencies);
  struct reading reading = {bootstrap, topic};
  pthread_t receiver, poller;
  pthread_create(&receiver, NULL, receive, &reading);
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", bootstrap);
  set(conf, "acks", "all");
  set(conf, "linger.ms", "0");
  set(conf, "sticky.partitioning.linger.ms", "0");
  rd_kafka_conf_set_dr_msg_cb(conf, onDelivery);
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, conf);
  pthread_create(&poller, NULL, poll, producer);
  while (!isReady) usleep(1000);
  char *value = calloc(1, bytes < 8 ? 8 : bytes);
  int64_t due = nowNs(), step = 1000000000LL / rate;
  for (long i = -(long)warmUpSeconds * rate; i < capacity; i++, due += step) {
    waitUntil(due);
    int64_t stamp = i < 0 ? 0 : due;
    memcpy(value, &stamp, sizeof stamp);
    rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_VALUE(value, bytes), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
  }
  rd_kafka_flush(producer, 20000);
  for (int64_t sent = nowNs(); received < capacity && nowNs() - sent < 10000000000LL;) usleep(10000);
  isDone = 1;
  if (received == 0) fail("nothing was received");
  qsort(latencies, (size_t)received, sizeof *latencies, ascending);
  printf("{\"sent\":%ld,\"received\":%ld,\"refused\":%ld,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}\n", capacity, received, refused,
         percentile(0.5), percentile(0.99), percentile(0.999), percentile(1));
  fflush(stdout);
  _exit(received == capacity ? 0 : 1);
}

/* A client that met no broker backs off, so a new one is made every 100 ms, and the newest few are asked. */
static int first(const char *bootstrap, const char *topic) {
  enum { clientsMax = 600, asked = 4 };
  static rd_kafka_t *clients[clientsMax];
  int acknowledged = 0, made = 0;
  int64_t start = nowNs(), next = start;
  while (!acknowledged && nowNs() - start < 60000000000LL) {
    if (nowNs() >= next && made < clientsMax) {
      rd_kafka_conf_t *conf = rd_kafka_conf_new();
      set(conf, "bootstrap.servers", bootstrap);
      set(conf, "log_level", "0");
      set(conf, "linger.ms", "0");
      set(conf, "reconnect.backoff.ms", "20");
      set(conf, "reconnect.backoff.max.ms", "50");
      set(conf, "retry.backoff.ms", "20");
      rd_kafka_conf_set_dr_msg_cb(conf, onDelivery);
      clients[made] = client(RD_KAFKA_PRODUCER, conf);
      rd_kafka_producev(clients[made++], RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_VALUE("first", 5), RD_KAFKA_V_OPAQUE(&acknowledged), RD_KAFKA_V_END);
      next += 100000000LL;
    }
    for (int i = made > asked ? made - asked : 0; i < made; i++) rd_kafka_poll(clients[i], 0);
    usleep(2000);
  }
  printf("{\"micros\":%.1f}\n", (double)(nowNs() - start) / 1e3);
  fflush(stdout);
  _exit(acknowledged ? 0 : 1);
}

/* A record is due every 2 ms, and what happens to the broker meanwhile is the caller's doing. */
static int longestGap(const char *bootstrap, const char *topic, int seconds) {
  enum { everyMs = 2 };
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", bootstrap);
  set(conf, "log_level", "0");
  set(conf, "acks", "all");
  set(conf, "enable.idempotence", "true");
  set(conf, "linger.ms", "0");
  rd_kafka_conf_set_dr_msg_cb(conf, onGapDelivery);
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, conf);
  long sent = 0;
  for (int64_t start = nowNs(), due = start; due < start + seconds * 1000000000LL; due += everyMs * 1000000LL) {
    while (nowNs() < due) rd_kafka_poll(producer, 1);
    if (!rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_VALUE("gap", 3), RD_KAFKA_V_END)) sent++;
  }
  rd_kafka_flush(producer, 60000);
  printf("{\"sent\":%ld,\"acknowledged\":%ld,\"refused\":%ld,\"gap\":%.1f}\n", sent, acknowledged, refused, (double)gap / 1e3);
  fflush(stdout);
  _exit(acknowledged == sent ? 0 : 1);
}

int main(int argc, char **argv) {
  if (argc == 7 && strcmp(argv[1], "steady") == 0) return steady(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]), (size_t)atol(argv[6]));
  if (argc == 4 && strcmp(argv[1], "first") == 0) return first(argv[2], argv[3]);
  if (argc == 5 && strcmp(argv[1], "gap") == 0) return longestGap(argv[2], argv[3], atoi(argv[4]));
  fail("usage: see the head of the source");
}
