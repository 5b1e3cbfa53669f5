"""The steady client (test/interop/steady-client.ts) of confluent-kafka, which is librdkafka: steady.py OPTIONS"""

import json
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, Producer

options = json.loads(sys.argv[1])
topic = options["topic"]
said = threading.Lock()
producing = threading.Event()
reading = threading.Event()
producing.set()
reading.set()


def now():
    return time.time_ns() // 1_000_000


def say(what, facts):
    with said:
        print(json.dumps({what: facts}), flush=True)


def settings(of, who):
    def trouble(error):
        # librdkafka goes on by itself, but where it says that it cannot.
        say("error" if error.fatal() else "notice", [f"{who}: {error.name()}: {error.str()}"])

    return {"bootstrap.servers": options["bootstrap"], "log_level": 3, "error_cb": trouble, **options[of]}


def produce():
    producer = Producer(settings("producer", "producer"))
    polling = threading.Event()
    polling.set()

    def poll():
        while polling.is_set():
            producer.poll(0.1)

    # In a thread of its own, so that deliveries are heard of when they are.
    thread = threading.Thread(target=poll)
    thread.start()

    def delivered(sent_at, number):
        def report(error, message):
            if error is not None:
                say("error", [f"delivery of {message.partition()}/{number}: {error}"])
            else:
                say("acked", [message.partition(), number, message.offset(), sent_at, now()])

        return report

    number = 0
    due = time.monotonic()
    while producing.is_set():
        for partition in range(options["partitions"]):
            producer.produce(topic, value=str(number), partition=partition, on_delivery=delivered(now(), number))
        number += 1
        due += options["everyMs"] / 1000
        time.sleep(max(due - time.monotonic(), 0))
    left = producer.flush(60)
    polling.clear()
    thread.join()
    if left:
        say("error", [f"{left} records were not delivered"])


def read():
    consumer = Consumer({**settings("consumer", "consumer"), "group.id": options["group"], "auto.offset.reset": "earliest"})
    heard = lambda what: lambda _, partitions: say(what, sorted(at.partition for at in partitions))
    consumer.subscribe([topic], on_assign=heard("assigned"), on_revoke=heard("revoked"))
    while reading.is_set():
        message = consumer.poll(0.1)
        if message is None:
            continue
        if message.error() is None:
            say("read", [message.partition(), message.offset(), int(message.value()), now()])
        elif message.error().code() != KafkaError._PARTITION_EOF:
            say("error", [f"consumer: {message.error()}"])
    consumer.close()


def started(who, work):
    def carry_out():
        try:
            work()
        except Exception as failure:  # whatever a user would have seen
            say("error", [f"{who}: {type(failure).__name__}: {failure}"])

    thread = threading.Thread(target=carry_out)
    thread.start()
    return thread


consumer_thread = started("consumer", read)
producer_thread = started("producer", produce)
sys.stdin.readline()
producing.clear()
producer_thread.join()
say("produced", [])
sys.stdin.readline()
reading.clear()
consumer_thread.join()
