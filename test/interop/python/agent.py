"""The agent (test/interop/agent.ts) for confluent-kafka, which is librdkafka: agent.py BOOTSTRAP"""

import json
import queue
import sys
import threading

from confluent_kafka import Consumer, KafkaError, KafkaException, OFFSET_BEGINNING, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from transactions import Transactions

bootstrap = sys.argv[1]
common = {"bootstrap.servers": bootstrap, "log_level": 3}
said = threading.Lock()


def say(what):
    with said:
        print(json.dumps(what), flush=True)


def raise_if(error):
    if error is not None:
        raise KafkaException(error)


def create_topic(topic, partitions):
    admin = AdminClient(common)
    for done in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        done.result(30)


producers = {}


def produce(topic, records, compression, idempotent):
    key = (compression, idempotent)
    if key not in producers:
        producers[key] = Producer({
            **common, "compression.type": compression, "enable.idempotence": idempotent, "acks": "all",
            "linger.ms": 0 if idempotent else 20,
        })
    producer = producers[key]
    failures = []

    def delivered(error, _):
        if error is not None:
            failures.append(error)

    for record in records:
        extra = {"timestamp": record["timestamp"]} if "timestamp" in record else {}
        headers = [(name, value.encode()) for name, value in (record.get("headers") or {}).items()]
        producer.produce(topic, value=record["value"], key=record["key"], partition=record["partition"], headers=headers,
                         on_delivery=delivered, **extra)
    left = producer.flush(60)
    if left or failures:
        raise RuntimeError(f"{left} not delivered, failures {failures}")


def shown(message):
    text = lambda value: None if value is None else value.decode()
    return {
        "partition": message.partition(), "offset": message.offset(), "key": text(message.key()), "value": text(message.value()),
        "headers": {name: text(value) for name, value in (message.headers() or [])}, "timestamp": message.timestamp()[1],
    }


def read(topic, partition, offset, count):
    consumer = Consumer({**common, "group.id": "reader", "enable.auto.commit": False, "fetch.wait.max.ms": 100})
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    # To see that seek() works, and not only an assignment at an offset.
    first = consumer.poll(30)
    if first is None:
        raise RuntimeError("nothing to read")
    raise_if(first.error())
    consumer.seek(TopicPartition(topic, partition, offset))
    records = []
    while len(records) < count:
        message = consumer.poll(30)
        if message is None:
            raise RuntimeError(f"only {len(records)} records")
        raise_if(message.error())
        records.append(shown(message))
    consumer.close()
    return records


def offsets_for_time(topic, timestamp):
    consumer = Consumer({**common, "group.id": "times"})
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    found = consumer.offsets_for_times([TopicPartition(topic, partition, timestamp) for partition in partitions], timeout=30)
    consumer.close()
    return {str(at.partition): at.offset for at in found}


class Member:
    def __init__(self, group, topic, protocol, session_timeout_ms, isolation):
        settings = {
            **common, "isolation.level": isolation, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 100,
            "group.protocol": protocol, "topic.metadata.refresh.interval.ms": 1000,
        }
        if protocol == "classic":
            settings.update({"session.timeout.ms": session_timeout_ms, "heartbeat.interval.ms": 300,
                             "partition.assignment.strategy": "cooperative-sticky"})
        self.consumer = Consumer(settings)
        self.held = set()
        self.leaving = threading.Event()
        self.tasks = queue.Queue()
        self.consumer.subscribe([topic], on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.revoked)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def assigned(self, _, partitions):
        self.held |= {at.partition for at in partitions}
        say({"partitions": sorted(self.held)})

    def revoked(self, _, partitions):
        self.held -= {at.partition for at in partitions}
        say({"partitions": sorted(self.held)})

    def run(self):
        while not self.leaving.is_set():
            while not self.tasks.empty():
                self.tasks.get()()
            message = self.consumer.poll(0.1)
            if message is None:
                continue
            if message.error() is None:
                say({"record": shown(message)})
            elif message.error().code() != KafkaError._PARTITION_EOF:
                print(message.error(), file=sys.stderr, flush=True)

    def commit(self, offsets):
        """In the thread that polls, as an application would."""
        done = queue.Queue()

        def task():
            try:
                for at in self.consumer.commit(offsets=offsets, asynchronous=False):
                    raise_if(at.error)
                done.put(None)
            except Exception as error:
                done.put(error)

        self.tasks.put(task)
        error = done.get(timeout=30)
        if error is not None:
            raise error

    def leave(self):
        self.leaving.set()
        self.thread.join()
        self.consumer.close()


member = None
transactions = Transactions(common)


def obey(what):
    global member
    do = what["do"]
    if do == "createTopic":
        create_topic(what["topic"], what["partitions"])
    elif do == "produce":
        produce(what["topic"], what["records"], what["compression"], what["idempotent"])
    elif do == "read":
        return {"records": read(what["topic"], what["partition"], what["offset"], what["count"])}
    elif do == "offsetsForTime":
        return {"offsets": offsets_for_time(what["topic"], what["timestamp"])}
    elif do == "join":
        member = Member(what["group"], what.get("topic") or what["pattern"], what["protocol"], what["sessionTimeoutMs"],
                        what.get("isolation") or "read_committed")
    elif do == "commit":
        offsets = [TopicPartition(what["topic"], int(partition), offset) for partition, offset in what["offsets"].items()]
        member.commit(offsets)
    elif do == "leave":
        member.leave()
    else:
        transactions.obey(what)
    return {}


for line in sys.stdin:
    asked = json.loads(line)
    try:
        say({"id": asked["id"], **obey(asked)})
    except Exception as error:  # every failure is an answer
        say({"id": asked["id"], "error": f"{type(error).__name__}: {error}"})
