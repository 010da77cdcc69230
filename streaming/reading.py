"""Reading a topic once, from known offsets to the ends that its partitions have."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from common.log import get_logger
from streaming.consumer import BATCH, WAIT_SECONDS
from streaming.errors import StreamError
from streaming.gaps import Beginnings, lost_before
from streaming.messages import Partition, Received
from streaming.settings import Cluster
from streaming.topics import READING, Topic, describe_topic, quiet_logger

log = get_logger(__name__)


def read_to_the_end(
    cluster: Cluster, name: str, offsets: Mapping[int, int], retry_seconds: float
) -> Iterator[Received]:
    """The messages of each partition from its offset on, or from its beginning, to its end.

    What the topic had deleted before is told in the log. Raises StreamError if there is no such
    topic, if it ends before an offset, or if the brokers say nothing for as long as is set.
    """
    from confluent_kafka import Consumer, KafkaError

    topic = _existing(cluster, name)
    client = Consumer({**cluster.options(), **READING, "logger": quiet_logger()})
    try:
        _assign(client, topic, offsets)
        expected = dict(offsets)
        left = {one.number for one in topic.partitions}
        heard_at = time.monotonic()
        while left:
            beginnings = Beginnings(client, name)
            for message in client.consume(BATCH, WAIT_SECONDS):
                error = message.error()
                if error is None:
                    heard_at = time.monotonic()
                    _check_begin(beginnings, message, expected)
                    partition = Partition(name, topic.topic_id, message.partition())
                    value = message.value() or b""
                    yield Received(partition, message.offset(), message.key(), value)
                elif error.code() == KafkaError._PARTITION_EOF:
                    _check_end(name, message.offset(), offsets.get(message.partition(), 0))
                    _check_begin(beginnings, message, expected)
                    left.discard(message.partition())
                else:
                    log.warning("topic %s: %s", name, error)
            if time.monotonic() - heard_at > retry_seconds:
                problem = f"nothing was heard for {retry_seconds:.0f} s"
                hint = "Start it again when a broker answers: it goes on where it stopped."
                raise StreamError(f"broker {cluster.bootstrap}", problem, hint)
    finally:
        client.close()


def _existing(cluster: Cluster, name: str) -> Topic:
    topic = describe_topic(cluster, name)
    if topic is None:
        hint = "Correct the name, or create it."
        raise StreamError(f"topic {name}", "the brokers do not know it", hint)
    return topic


def _assign(client: Any, topic: Topic, offsets: Mapping[int, int]) -> None:
    from confluent_kafka import OFFSET_BEGINNING, TopicPartition

    client.assign(
        [
            TopicPartition(topic.name, one.number, offsets.get(one.number, OFFSET_BEGINNING))
            for one in topic.partitions
        ]
    )


def _check_begin(beginnings: Beginnings, message: Any, expected: dict[int, int]) -> None:
    """Tell what is missing before a message; `expected` has the next offset of each partition."""
    number, offset = message.partition(), message.offset()
    lost_before(beginnings, number, expected.get(number, offset), offset)
    expected[number] = offset + 1


def _check_end(name: str, end: int, offset: int) -> None:
    if end < offset:
        raise StreamError(
            f"topic {name}",
            f"it ends at {end}, and was read up to {offset} before: it was created again",
            "Give its messages another topic: their places are those of others that have landed.",
        )
