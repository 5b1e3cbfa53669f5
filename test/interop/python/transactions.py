"""The part of the agent that has a transactional producer (test/interop/transactional-agent.ts)."""

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition


class Transactions:
    def __init__(self, common):
        self.common = common
        self.producer = None

    def made(self, transactional_id, timeout_ms):
        made = Producer({**self.common, "transactional.id": transactional_id, "transaction.timeout.ms": timeout_ms, "linger.ms": 0})
        made.init_transactions(30)
        return made

    def obey(self, what):
        do = what["do"]
        if do == "txnOpen":
            self.producer = self.made(what["transactionalId"], what["timeoutMs"])
        elif do == "txnBegin":
            self.producer.begin_transaction()
        elif do == "txnSend":
            send(self.producer, what["topic"], what["records"])
        elif do == "txnCommit":
            self.producer.commit_transaction(30)
        elif do == "txnAbort":
            self.producer.abort_transaction(30)
        elif do == "txnClose":
            self.producer = None
        elif do == "transform":
            self.transform(what)
        else:
            raise RuntimeError(f"nobody knows how to {do}")

    def transform(self, what):
        """Takes records as a member of a group, puts them on, and ends the transaction, with the group's offsets in it."""
        consumer = Consumer({
            **self.common, "group.id": what["group"], "group.protocol": what["protocol"], "isolation.level": "read_committed",
            "auto.offset.reset": "earliest", "enable.auto.commit": False,
        })
        producer = self.made(what["transactionalId"], 60_000)
        consumer.subscribe([what["from"]])
        producer.begin_transaction()
        records = []
        offset = 0
        for _ in range(what["count"]):
            message = consumer.poll(30)
            if message is None:
                raise RuntimeError(f"only {len(records)} records")
            if message.error() is not None:
                raise KafkaException(message.error())
            records.append({"value": f"{message.value().decode()} transformed", "partition": -1})
            offset = message.offset() + 1
        send(producer, what["to"], records)
        producer.send_offsets_to_transaction([TopicPartition(what["from"], 0, offset)], consumer.consumer_group_metadata(), 30)
        if what["end"] == "commit":
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
        consumer.close()


def send(producer, topic, records):
    failures = []

    def delivered(error, _):
        if error is not None:
            failures.append(error)

    for record in records:
        producer.produce(topic, value=record["value"], partition=record["partition"], on_delivery=delivered)
    left = producer.flush(60)
    if left or failures:
        raise RuntimeError(f"{left} not delivered, failures {failures}")
