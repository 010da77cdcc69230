"""What the consumer does with messages: versions, addresses, broken ones, poisoned batches."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError

import embedded
from common.errors import ExitCode
from operational.connection import connection
from streaming import assignment, consumer
from streaming.connection import SMALLEST_PACKET, session
from streaming.consumer import Consumer
from streaming.database import EMAIL_TAKEN, Checked, write
from streaming.dead_letters import DeadLetters
from streaming.errors import StreamError
from streaming.messages import Partition, Received
from streaming.replay import Replayed, replay
from streaming.settings import Cluster
from streaming.simulation import Message
from streaming.statistics import Statistics, read_statistics
from streaming.topics import READING, ensure_topics
from streaming.validation import check_text
from tests.support.streams import (
    Stream,
    consuming,
    customer,
    message,
    simulated,
)
from tests.support.waiting import wait_for

TEXT = "select customer_id, city from customers order by 1"
REASONS = "select reason, message_offset from customers_invalid order by invalid_id"


def consume(stream: Stream, tmp_path: Path) -> Statistics:
    """Consume to the end in this process."""
    with session(stream.database, retry_seconds=30, lock=stream.database.database) as opened:
        return Consumer(stream.cluster, opened, 30, tmp_path / "stream.json").run(until_end=True)


@contextmanager
def small_packets(servers: embedded.Servers, size: int) -> Iterator[None]:
    """A server that accepts no statement of more bytes than this."""
    with connection(servers.operational_root) as root, root.cursor() as cursor:
        cursor.execute("select @@global.max_allowed_packet")
        ((before,),) = cursor.fetchall()
        cursor.execute("set global max_allowed_packet = %s", (size,))
        try:
            yield
        finally:
            cursor.execute("set global max_allowed_packet = %s", (before,))


def at(second: int, **changes: object) -> dict[str, object]:
    """A message of customer 1, of some second."""
    return customer(1, changed_at=f"2026-11-01T10:00:{second:02}Z", **changes)


def checked(offset: int, fields: dict[str, object]) -> Checked:
    """A message of a partition of this test's own."""
    text = json.dumps(fields).encode()
    received = Received(Partition("customers", "a test", 0), offset, None, text)
    return Checked(received, check_text(text, datetime.now(UTC)))


def test_simulated_messages_are_taken_in_or_refused_as_they_were_made(
    stream: Stream, tmp_path: Path
) -> None:
    stream.send(simulated(5000, seed=11, broken_percent=30))
    done = consume(stream, tmp_path)
    stream.check()
    broken = sum(one.is_broken for one in stream.sent.values())
    assert (done.invalid, done.dead_letters, done.lag, done.state) == (broken, broken, 0, "stopped")
    assert read_statistics(tmp_path / "stream.json") == done
    letters = stream.dead_letters()
    assert len(letters) == broken
    assert {name for one in letters for name in one} == {"topic", "partition", "offset", "reason"}


def test_older_version_and_repeated_message_change_nothing(stream: Stream, tmp_path: Path) -> None:
    stream.send([message(at(5, city="new")), message(at(3, city="old"))])
    assert consume(stream, tmp_path).superseded == 1
    stream.send([message(at(5, city="again")), message(at(4, city="older"))])
    done = consume(stream, tmp_path)
    assert (done.applied, done.superseded) == (0, 2)
    assert stream.query(TEXT) == [(1, "new")]


def test_old_message_does_not_bring_back_a_deleted_customer(stream: Stream, tmp_path: Path) -> None:
    stream.send([message(at(5))])
    consume(stream, tmp_path)
    stream.query("delete from customers")
    stream.send([message(at(5)), message(at(4))])
    consume(stream, tmp_path)
    assert stream.query(TEXT) == []
    stream.send([message(at(6, city="back"))])
    consume(stream, tmp_path)
    assert stream.query(TEXT) == [(1, "back")]


def test_address_of_another_customer_is_refused_and_changes_neither(
    stream: Stream, tmp_path: Path
) -> None:
    stream.send([message(customer(1, email="a@example.com"))])
    consume(stream, tmp_path)
    # a customer of the shop itself, whom the stream has never told of
    stream.query(
        "insert into customers select 2, first_name, last_name, age, 'b@example.com', country,"
        " city, postal_code, phone_number, registration_date, last_login_date, updated_at"
        " from customers"
    )
    before = stream.query("select * from customers order by 1")
    stream.send(
        [message(customer(3, email="A@example.com ")), message(customer(4, email="b@example.com"))]
    )
    assert consume(stream, tmp_path).invalid == 2
    assert stream.query("select * from customers order by 1") == before
    assert {reason for reason, _ in stream.query(REASONS)} == {EMAIL_TAKEN}


def test_address_that_was_given_up_can_be_taken(stream: Stream, tmp_path: Path) -> None:
    """Also in one batch, whose last rows alone would break the unique key."""
    stream.send(
        [message(at(1, email="x@example.com")), message(customer(2, email="y@example.com"))]
    )
    consume(stream, tmp_path)
    # one customer gives up an address, which another one takes, while the first one takes his
    moved = [
        at(2, email="z@example.com"),
        customer(2, email="x@example.com", changed_at="2026-11-01T10:00:03Z"),
        at(4, email="y@example.com"),
    ]
    batch = [checked(number, fields) for number, fields in enumerate(moved)]
    with session(stream.database, retry_seconds=30) as opened:
        assert write(opened, batch).applied == 3
    rows = "select customer_id, email from customers order by 1"
    assert stream.query(rows) == [(1, "y@example.com"), (2, "x@example.com")]


def test_poisoned_batch_is_halved_down_to_the_message(stream: Stream, tmp_path: Path) -> None:
    """A constraint that no rule here knows refuses three of a thousand rows."""
    stream.query("alter table customers add constraint no_paris check (city <> 'Paris')")
    poisoned = {100, 101, 777}
    stream.send(
        message(customer(number, city="Paris" if number in poisoned else "Rome"))
        for number in range(1, 1001)
    )
    done = consume(stream, tmp_path)
    assert (done.applied, done.invalid) == (997, 3)
    assert {number for number, _ in stream.query(TEXT)} == set(range(1, 1001)) - poisoned
    assert {reason for reason, _ in stream.query(REASONS)} == {
        "the database refuses it (error 4025)"
    }
    found = stream.query("select json_value(message, '$.customer_id') from customers_invalid")
    assert {int(number) for (number,) in found} == poisoned


def test_text_that_is_no_text_is_kept(stream: Stream, tmp_path: Path) -> None:
    wrong = [b"", b"\xff\xfe{", b"[" * 100_000, '"\ud800"'.encode("utf-8", "surrogatepass")]
    stream.send(Message(b"1", text, is_broken=True) for text in wrong)
    assert consume(stream, tmp_path).invalid == len(wrong)
    kept = {text for (text,) in stream.query("select message from customers_invalid")}
    assert kept == {text.decode("utf-8", "backslashreplace") for text in wrong}


def test_text_that_no_statement_could_bring_is_cut_off(
    stream: Stream, servers: embedded.Servers, tmp_path: Path
) -> None:
    long = b"\xff" * 900_000
    stream.send([message(customer(1)), Message(b"2", long, is_broken=True), message(customer(3))])
    with small_packets(servers, SMALLEST_PACKET):
        done = consume(stream, tmp_path)
    assert (done.applied, done.invalid, done.dead_letters) == (2, 1, 1)
    ((text,),) = stream.query("select message from customers_invalid")
    assert text.startswith("\\xff" * 100_000)
    assert text.endswith(" [cut off: the message has 900000 bytes]")


def test_server_that_accepts_only_small_statements_is_refused(
    stream: Stream, servers: embedded.Servers, tmp_path: Path
) -> None:
    with small_packets(servers, 65536), pytest.raises(StreamError, match="max_allowed_packet"):
        consume(stream, tmp_path)


def test_partitions_that_are_added_are_read(
    stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At first the consumer knows two of the three."""
    stream.send(simulated(300, seed=8))
    whole = ensure_topics(stream.cluster)
    fewer = replace(whole, partitions=whole.partitions[:2])
    monkeypatch.setattr(assignment, "ensure_topics", lambda _: fewer)
    monkeypatch.setattr(assignment, "LOOK_SECONDS", 0.0)
    consume(stream, tmp_path)
    stream.check()


def test_topic_of_dead_letters_that_takes_nothing_ends_the_consumer(
    stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that is not there confirms nothing, as one that refuses the topic."""
    nobody = DeadLetters(Cluster("127.0.0.1:1"), retry_seconds=1)
    monkeypatch.setattr(consumer, "DeadLetters", lambda *_: nobody)
    stream.send([message(customer(1)), message(customer(2, country="Atlantis"))])
    with pytest.raises(StreamError, match="have taken no reference"):
        consume(stream, tmp_path)
    monkeypatch.undo()
    assert stream.query(TEXT) == [(1, "London")]
    done = consume(stream, tmp_path)
    assert (done.applied, done.dead_letters) == (0, 1)


class Refused:
    """What the client reads of a partition that a broker with accounts refuses."""

    def __init__(self, number: int) -> None:
        self._number = number

    def error(self) -> KafkaError:
        return KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)

    def partition(self) -> int:
        return self._number


def test_partition_that_is_refused_ends_the_consumer_unless_it_is_read_again(
    stream: Stream,
) -> None:
    """The broker of these tests has no accounts."""
    stream.send(simulated(300, seed=9))
    client = Client({**stream.cluster.options(), **READING})
    with session(stream.database, retry_seconds=30) as opened:
        assigned = assignment.Assignment(stream.cluster, client, opened, 0.5)
        assigned.begin()
        for _ in range(3):
            assigned.note([Refused(0)])
            wait_for(assigned.has_changed, "it is read anew")
            while not assigned.is_at_end:
                assigned.note(client.consume(100, 0.2))
            assert not assigned.has_changed()
        with pytest.raises(StreamError, match="have not let it be read"):
            for _ in range(100):
                assigned.note([Refused(0)])
                assigned.has_changed()
                time.sleep(0.1)
    client.close()


def test_partition_that_a_topic_no_longer_has_does_not_end_the_consumer(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client({**stream.cluster.options(), **READING})
    with session(stream.database, retry_seconds=30) as opened:
        assigned = assignment.Assignment(stream.cluster, client, opened, 0.5)
        assigned.begin()
        assigned.note([Refused(2)])
        fewer = replace(assigned.topic, topic_id="new", partitions=assigned.topic.partitions[:2])
        monkeypatch.setattr(assignment, "describe_topic", lambda *_: fewer)
        assert assigned.has_changed()
        monkeypatch.setattr(assignment, "LOOK_SECONDS", 0.0)
        time.sleep(0.6)
        assert not [assigned.has_changed() for _ in range(2)][-1]
    client.close()


def test_mended_message_is_taken_in_unless_there_is_a_newer_version(
    stream: Stream, tmp_path: Path
) -> None:
    stream.send([message(at(1, city="first", country="Atlantis")), message(at(2, city="second"))])
    stream.send([message(customer(2, country="Atlantis", city="mended"))])
    stream.send([message(customer(3, country="Atlantis"))])
    assert consume(stream, tmp_path).invalid == 3
    stream.query(
        "update customers_invalid set mended_message = replace(message, 'Atlantis',"
        " if(message like '%%\"customer_id\": 3%%', 'Utopia', 'FR'))"
    )
    with session(stream.database, retry_seconds=30) as opened:
        assert replay(opened) == Replayed(applied=1, superseded=1, invalid=1)
        assert replay(opened) == Replayed(invalid=1)
    assert stream.query(TEXT) == [(1, "second"), (2, "mended")]
    assert stream.query("select outcome, count(*) from customers_invalid group by 1") == [
        (None, 1),
        ("applied", 1),
        ("superseded", 1),
    ]


def test_mended_message_of_a_version_that_is_missing_does_not_hide_a_newer_one(
    stream: Stream, tmp_path: Path
) -> None:
    stream.send([message(at(1, city="first", age="old"))])
    consume(stream, tmp_path)
    stream.query("update customers_invalid set mended_message = replace(message, '\"old\"', '40')")
    with session(stream.database, retry_seconds=30) as opened:
        replay(opened)
    stream.send([message(at(2, city="second"))])
    consume(stream, tmp_path)
    assert stream.query(TEXT) == [(1, "second")]


def test_signal_ends_the_consumer_cleanly_and_another_one_is_refused(
    project: Path, stream: Stream
) -> None:
    stream.send(simulated(3000, seed=5))
    with consuming(project, stream) as first:
        wait_for(lambda: stream.read() == 3000, "all is read")
        with consuming(project, stream) as second:
            _, wrong = second.communicate(timeout=60)
            assert second.returncode == ExitCode.LOCKED
            assert "another consumer writes to it\nHINT: " in wrong
        first.send_signal(signal.SIGTERM)
        said, wrong = first.communicate(timeout=60)
        assert (first.returncode, wrong) == (0, "")
    assert said.startswith("3000 messages")
    stream.check()


def test_thousands_of_messages_a_second_are_applied(project: Path, stream: Stream) -> None:
    stream.send(simulated(60_000, seed=21, broken_percent=5))
    with consuming(project, stream, "--until-end") as process:
        said, wrong = process.communicate(timeout=300)
        assert process.returncode == 0, wrong
    print(f"one consumer: {said.strip()}")
    stream.check()
