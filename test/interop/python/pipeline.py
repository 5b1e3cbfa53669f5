"""Workers of test/transactions/worker.ts in librdkafka: pipeline.py OPTIONS. Each has partitions and a transactional id of its own."""

import json
import os
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

options = json.loads(sys.argv[1])
run = format(time.time_ns(), "x")
said = threading.Lock()


def say(what, text):
    with said:
        print(json.dumps({what: text}), flush=True)


class Worker:
    def __init__(self, number):
        self.name = f"{options['name']}-{number}"
        self.partitions = [at for at in range(options["inputPartitions"]) if at % options["workers"] == number]
        self.count = 0

    def work(self):
        """Whatever goes wrong: begins anew, with what is committed then."""
        while True:
            try:
                self.transform_all()
            except KafkaException as failure:
                say("trouble", f"{self.name}: {failure}")

    def transform_all(self):
        common = {"bootstrap.servers": options["bootstrap"], "log_level": 0}
        producer = Producer({
            **common, "transactional.id": self.name, "transaction.timeout.ms": options["timeoutMs"], "linger.ms": 0,
            # Longer than brokers are away, and not longer than a transaction may last.
            "message.timeout.ms": options["timeoutMs"],
        })
        # It is this that fences a zombie, so offsets are asked for behind it.
        producer.init_transactions(60)
        consumer = Consumer({
            **common, "group.id": options["group"], "isolation.level": "read_committed", "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "fetch.wait.max.ms": 100,
        })
        try:
            at = consumer.committed([TopicPartition(options["input"], number) for number in self.partitions], 30)
            consumer.assign([TopicPartition(one.topic, one.partition, max(one.offset, 0)) for one in at])
            while True:
                first = consumer.poll(0.5)
                if first is None:
                    continue
                records = [first] + consumer.consume(options["recordsMax"] - 1, 0.01)
                records = [record for record in records if record.error() is None]
                if records:
                    self.transform(producer, consumer, records)
        finally:
            consumer.close()

    def transform(self, producer, consumer, records):
        token = f"{self.name}/{run}/{self.count}"
        self.count += 1
        size = len(records) + 1
        firsts, nexts = {}, {}
        producer.begin_transaction()
        to = 0
        for index, record in enumerate(records):
            partition, offset = record.partition(), record.offset()
            to = (partition + offset) % options["outputPartitions"]
            producer.produce(options["output"], f"{token} {index} {size} {partition}:{offset}", partition=to)
            firsts.setdefault(partition, offset)
            nexts[partition] = offset + 1
        # In another partition than the last one, so that there are always two.
        producer.produce(options["output"], f"{token} {size - 1} {size} -", partition=(to + 1) % options["outputPartitions"])
        at = [TopicPartition(options["input"], partition, offset) for partition, offset in nexts.items()]
        producer.send_offsets_to_transaction(at, consumer.consumer_group_metadata(), 30)
        if self.count % options["abortEvery"] == 0:
            producer.flush(30)
            producer.abort_transaction(30)
            say("aborted", token)
            for partition, offset in firsts.items():
                consumer.seek(TopicPartition(options["input"], partition, offset))
        else:
            producer.commit_transaction(30)
            say("committed", token)


for number in range(options["workers"]):
    threading.Thread(target=Worker(number).work, daemon=True).start()
sys.stdin.read()
os._exit(0)
