"""Streams of a test: a topic, what was sent to it, and what the database must have of that."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from common.settings import Address
from operational.connection import connection
from streaming.database import COLUMNS
from streaming.messages import DEAD_LETTERS, TOPIC
from streaming.producer import Producer
from streaming.settings import Cluster
from streaming.simulation import Message, Simulation
from streaming.validation import check_text

SECONDS = 60
ROWS = f"select {', '.join(COLUMNS)} from customers order by customer_id"


@dataclass(frozen=True)
class Place:
    """Where a message stands in the topic."""

    partition: int
    offset: int


@dataclass
class Stream:
    """A broker, a database, and the messages that the broker has confirmed."""

    cluster: Cluster
    database: Address
    sent: dict[Place, Message] = field(default_factory=dict)

    def send(self, messages: Iterable[Message]) -> None:
        """Send messages, and keep those that are confirmed, which are all."""
        producer = Producer(self.cluster, SECONDS, self._note)
        sent = [*messages]
        expected = len(self.sent) + len(sent)
        for message in sent:
            producer.send(message)
        assert producer.close(SECONDS).undelivered == 0
        assert len(self.sent) == expected

    def _note(self, message: Message, place: Any) -> None:
        self.sent[Place(place.partition(), place.offset())] = message

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with connection(self.database, self.database.database) as opened:
            with opened.cursor() as cursor:
                cursor.execute(sql, parameters or None)
                rows = list(cursor.fetchall())
            opened.commit()
            return rows

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a command that works on this stream."""
        database = self.database
        return {
            **{name: value for name, value in os.environ.items() if name != "TIDEMARK_PAUSE"},
            "KAFKA_BOOTSTRAP": self.cluster.bootstrap,
            "STREAM_DATABASE_HOST": database.host,
            "STREAM_DATABASE_PORT": str(database.port),
            "STREAM_DATABASE_USER": database.user,
            "STREAM_DATABASE_PASSWORD": database.password,
            "STREAM_DATABASE_NAME": database.database,
            **more,
        }

    def read(self) -> int:
        """How many messages the consumers have read."""
        ((read,),) = self.query(
            "select coalesce(sum(next_offset), 0) from customers_stream_offsets"
        )
        return int(read)

    def check(self) -> None:
        """The database has what was sent, all of it and nothing twice, by comparison."""
        newest: dict[int, tuple[int, tuple[object, ...]]] = {}
        for message in self.sent.values():
            if not message.is_broken:
                customer = check_text(message.text, datetime.now(UTC))
                row = tuple(_column(getattr(customer, name)) for name in COLUMNS)
                known = newest.get(customer.customer_id, (0, ()))
                newest[customer.customer_id] = max(known, (customer.version, row))
        rows = {customer_id: row for customer_id, (_, row) in newest.items()}
        assert {row[0]: row for row in self.query(ROWS)} == rows
        versions = {customer_id: version for customer_id, (version, _) in newest.items()}
        assert dict(self.query("select customer_id, version from customers_stream")) == versions
        broken = sorted(
            (place.partition, place.offset, message.text.decode())
            for place, message in self.sent.items()
            if message.is_broken
        )
        found = self.query(
            "select partition_number, message_offset, message from customers_invalid"
        )
        assert sorted(found) == broken
        ends: dict[int, int] = {}
        for place in self.sent:
            ends[place.partition] = max(ends.get(place.partition, 0), place.offset + 1)
        offsets = "select partition_number, next_offset from customers_stream_offsets"
        assert dict(self.query(offsets)) == ends

    def dead_letters(self) -> list[dict[str, Any]]:
        """The values of the topic of dead letters."""
        return [json.loads(text) for text in values_of(self.cluster, DEAD_LETTERS)]


def simulated(count: int, seed: int, broken_percent: int = 10) -> list[Message]:
    """Messages of a simulation."""
    simulation = Simulation(Random(seed), broken_percent)
    return [simulation.message() for _ in range(count)]


def customer(number: int, **changes: Any) -> dict[str, Any]:
    """The members of a valid message of a customer, with changes."""
    return {
        "schema_version": 1,
        "customer_id": number,
        "changed_at": "2026-11-01T10:00:00.000001Z",
        "first_name": "Ada",
        "last_name": "Byron",
        "age": 36,
        "email": f"ada{number}@example.com",
        "country": "GB",
        "city": "London",
        "postal_code": "W1 1AA",
        "phone_number": "+447400123456",
        "registration_date": "2020-05-01T08:00:00Z",
        "last_login_date": "2026-10-31T08:00:00Z",
        **changes,
    }


def message(fields: dict[str, Any], is_broken: bool = False) -> Message:
    return Message(str(fields["customer_id"]).encode(), json.dumps(fields).encode(), is_broken)


def values_of(cluster: Cluster, topic: str) -> Iterator[bytes]:
    """The values of all messages that a topic has now."""
    from confluent_kafka import Consumer, TopicPartition

    client = Consumer({**cluster.options(), "group.id": "test", "enable.partition.eof": True})
    for number in client.list_topics(topic, timeout=SECONDS).topics[topic].partitions:
        client.assign([TopicPartition(topic, number, 0)])
        while found := client.poll(SECONDS):
            if found.error():
                break
            yield found.value()
    client.close()


def recreate(cluster: Cluster) -> None:
    """Empty topics: those that exist are deleted, and the next command creates them again."""
    from confluent_kafka.admin import AdminClient

    admin = AdminClient(cluster.options())
    known = {TOPIC, DEAD_LETTERS} & set(admin.list_topics(timeout=SECONDS).topics)
    for deleted in admin.delete_topics(sorted(known)).values() if known else ():
        deleted.result(SECONDS)


@contextmanager
def consuming(
    project: Path, stream: Stream, *options: str, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """The command `stream consume` of a copy of the project, killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, str(project / "run.py"), "stream", "consume", *options],
        env=stream.environment(**environment),
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _column(value: object) -> object:
    """A value as the driver gives it back."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value
