/* What both programs need: a clock, settings that must be right, and NAME=VALUE arguments for librdkafka. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "rdkafka.h"

static inline int64_t nowNs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static inline void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char error[512];
  if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) fail(error);
}

/* Takes NAME=VALUE arguments as settings. */
static inline void setAll(rd_kafka_conf_t *conf, int count, char **given) {
  for (int i = 0; i < count; i++) {
    char *equals = strchr(given[i], '=');
    if (equals == NULL) fail("settings are NAME=VALUE");
    *equals = 0;
    set(conf, given[i], equals + 1);
    *equals = '=';
  }
}

static inline rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
  char error[512];
  rd_kafka_t *made = rd_kafka_new(type, conf, error, sizeof error);
  if (made == NULL) fail(error);
  return made;
}
