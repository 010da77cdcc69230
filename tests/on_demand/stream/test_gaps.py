"""Messages that a topic deletes before they are read, by a broker with retention.

Tansu has none that a test could wait for. The one that is part of the client keeps 5 MB of a
partition, and answers like Kafka; it cannot describe its topics, which the tests do for it.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer as Client
from confluent_kafka import Producer

from common.settings import Address
from streaming import assignment, reading
from streaming.connection import session
from streaming.consumer import Consumer
from streaming.database import offsets
from streaming.messages import TOPIC, Partition
from streaming.reading import read_to_the_end
from streaming.settings import Cluster
from streaming.topics import READING, Topic
from tests.support.streams import Stream
from tests.support.waiting import wait_for

TEXT = b"x" * 900_000
KNOWN = Topic(TOPIC, "of the client", (Partition(TOPIC, "of the client", 0),))
READ_UP_TO = "insert into customers_stream_offsets values (%s, %s, 0, %s, now(6))"
LOST = "topic customers, partition 0: 4 messages, from offset 1 to 4, were deleted"


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A broker that has kept the messages 5 to 9 of 10."""
    broker = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1})
    (address,) = broker.list_topics(timeout=10).brokers.values()
    for _ in range(10):
        broker.produce(TOPIC, TEXT, partition=0)
        broker.flush()
    monkeypatch.setattr(assignment, "ensure_topics", lambda _: KNOWN)
    monkeypatch.setattr(assignment, "describe_topic", lambda *_: KNOWN)
    monkeypatch.setattr(reading, "describe_topic", lambda *_: KNOWN)
    yield Cluster(f"{address.host}:{address.port}")


@pytest.mark.parametrize(("read_up_to", "lost"), [(1, 4), (5, 0), (7, 0)])
def test_consumer_tells_how_many_messages_were_deleted_unread(
    old: Cluster, database: Address, tmp_path: Path, read_up_to: int, lost: int
) -> None:
    stream = Stream(old, database)
    stream.query(READ_UP_TO, KNOWN.name, KNOWN.topic_id, read_up_to)
    with session(database, retry_seconds=30) as opened:
        done = Consumer(old, opened, 30, tmp_path / "stream.json").run(until_end=True)
    assert (done.lost, done.invalid) == (lost, 10 - max(read_up_to, 5))
    assert ("LOST" in str(done)) == bool(lost)


def test_what_is_lost_is_told_once_even_if_nothing_is_written(
    old: Cluster, database: Address, tmp_path: Path
) -> None:
    stream = Stream(old, database)
    stream.query(READ_UP_TO, KNOWN.name, KNOWN.topic_id, 1)
    for lost in (4, 0):
        with session(database, retry_seconds=30) as opened:
            client = Client({**old.options(), **READING})
            assigned = assignment.Assignment(old, client, opened, 30)
            assigned.begin()
            wait_for(lambda: assigned.note(client.consume(1, 1)), "a message")  # noqa: B023
            assigned.note_lost()
            assert assigned.lost == lost
            client.close()


class Read:
    """A message that the client has read."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def error(self) -> None: ...

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return b"1"

    def value(self) -> bytes:
        return TEXT


def test_gap_behind_messages_that_are_not_written_yet_does_not_skip_them(
    old: Cluster, database: Address
) -> None:
    """The client has read a message, and after it one that is behind those deleted since."""
    Stream(old, database).query(READ_UP_TO, KNOWN.name, KNOWN.topic_id, 0)
    with session(database, retry_seconds=30) as opened:
        client = Client({**old.options(), **READING})
        assigned = assignment.Assignment(old, client, opened, 30)
        for _ in range(2):
            assigned.begin()
            assigned.note([Read(0), Read(5)])
            assert offsets(opened, KNOWN.topic_id, KNOWN.name) == {0: 0}
        assigned.note_lost()
        assert offsets(opened, KNOWN.topic_id, KNOWN.name) == {0: 5}
        assert assigned.lost == 4
        client.close()


def test_reader_of_events_tells_it_too(old: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read = [one.offset for one in read_to_the_end(old, TOPIC, {0: 1}, retry_seconds=30)]
        assert read == [5, 6, 7, 8, 9]
        assert LOST in caplog.text
        caplog.clear()
        assert [*read_to_the_end(old, TOPIC, {0: 10}, retry_seconds=30)] == []
        assert [*read_to_the_end(old, TOPIC, {}, retry_seconds=30)]
        assert caplog.text == ""
