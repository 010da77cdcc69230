"""A broker or a database goes away while the consumer works: it goes on when they return."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import embedded
from streaming.messages import TOPIC
from streaming.settings import Cluster
from streaming.simulation import Message
from tests.support.proxy import proxy as proxying
from tests.support.servers import TEST_SERVERS
from tests.support.streams import Place, Stream, consuming, customer, message, simulated
from tests.support.waiting import wait_for


@pytest.fixture
def pid(broker: Cluster) -> Iterator[int]:
    """The process of the broker, which goes on at the end if it is still there."""
    number = int((TEST_SERVERS / "broker" / "tansu.pid").read_text())
    yield number
    try:
        os.kill(number, signal.SIGCONT)
    except ProcessLookupError:
        embedded.start_broker(TEST_SERVERS)


def test_broker_that_is_frozen_is_waited_for(project: Path, stream: Stream, pid: int) -> None:
    stream.send(simulated(2000, seed=1))
    with consuming(project, stream) as process:
        wait_for(lambda: stream.read() == 2000, "all is read")
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=15)
        os.kill(pid, signal.SIGCONT)
        stream.send(simulated(2000, seed=2))
        wait_for(lambda: stream.read() == 4000, "all is read")
    stream.check()


def test_broker_that_loses_its_data_is_read_anew(project: Path, stream: Stream, pid: int) -> None:
    """What was consumed stays; what the new broker has confirmed is consumed too."""
    stream.send(simulated(3000, seed=3))
    with consuming(project, stream) as process:
        wait_for(lambda: stream.read() == 3000, "all is read")
        before = dict(stream.sent)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=3)
        again = embedded.start_broker(TEST_SERVERS)
        assert again == stream.cluster.bootstrap
        stream.sent.clear()
        # more than before, so that the offsets of before lie within
        stream.send(simulated(8000, seed=4))
        wait_for(lambda: stream.read() == 11_000, "all is read")
        untold = "select count(*) from customers_invalid where told_at is null"
        wait_for(lambda: stream.query(untold) == [(0,)], "all is told")
        assert process.poll() is None
    after, stream.sent = stream.sent, {}
    check_both(stream, before, after)


def check_both(stream: Stream, before: dict[Place, Message], after: dict[Place, Message]) -> None:
    """The database has what either broker has confirmed."""
    rows = stream.query(
        "select topic_id, count(*) from customers_invalid group by topic_id"
        " order by min(invalid_id)"
    )
    assert [count for _, count in rows] == [
        sum(one.is_broken for one in sent.values()) for sent in (before, after)
    ]
    expected = {
        int(one.key) for sent in (before, after) for one in sent.values() if not one.is_broken
    }
    found = stream.query("select customer_id from customers")
    assert {number for (number,) in found} == expected


def test_database_that_goes_away_is_waited_for(project: Path, stream: Stream) -> None:
    """Also in the midst of a commit, of which nobody knows whether it was done."""
    with proxying(stream.database) as proxy:
        port = {"STREAM_DATABASE_PORT": str(proxy.address.port)}
        stream.send(simulated(2000, seed=5))
        with consuming(project, stream, **port) as process:
            wait_for(lambda: stream.read() == 2000, "all is read")
            proxy.left, proxy.is_lasting = 0, True
            stream.send(simulated(2000, seed=6))
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=3)
            assert stream.read() == 2000
            proxy.left = None
            wait_for(lambda: stream.read() == 4000, "all is read")
            for number in range(3):
                proxy.after_words = b"COMMIT"
                stream.send(simulated(1000, seed=7 + number))
                wait_for(lambda end=5000 + 1000 * number: stream.read() == end, "all is read")
                assert proxy.after_words is None
    stream.check()


def test_consumer_whose_session_is_killed_goes_on(project: Path, stream: Stream) -> None:
    with consuming(project, stream) as process:
        for number in range(5):
            stream.send(simulated(1000, seed=10 + number))
            wait_for(lambda end=1000 * (number + 1): stream.read() == end, "all is read")
            kill_sessions(stream)
        assert process.poll() is None
    stream.check()


def kill_sessions(stream: Stream) -> None:
    rows = stream.query(
        "select id from information_schema.processlist where db = %s and id <> connection_id()",
        stream.database.database,
    )
    for (number,) in rows:
        stream.query(f"kill {number}")


def test_consumer_gives_up_after_the_time_that_is_set(
    project: Path, stream: Stream, pid: int
) -> None:
    with consuming(project, stream, STREAM_RETRY_SECONDS="2") as process:
        stream.send([message(customer(1))])
        wait_for(lambda: stream.read() == 1, "it reads")
        os.kill(pid, signal.SIGKILL)
        _, wrong = process.communicate(timeout=120)
        assert process.returncode == 1
    assert wrong.startswith(f"broker {stream.cluster.bootstrap}: ")
    assert "\nHINT: Check KAFKA_BOOTSTRAP" in wrong


def test_producer_ends_with_the_number_of_what_was_not_delivered(
    project: Path, stream: Stream, pid: int
) -> None:
    process = produce(project, stream, STREAM_RATE="100", STREAM_RETRY_SECONDS="3")
    wait_for(lambda: any(one for one in ends(stream) if one > 0), "it sends")
    os.kill(pid, signal.SIGKILL)
    # what is sent now cannot be delivered
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.send_signal(signal.SIGTERM)
    said, wrong = process.communicate(timeout=60)
    assert process.returncode == 1
    assert " delivered, " in said
    assert " messages were not delivered\nHINT: " in wrong
    assert int(wrong.split(": ")[1].split(" ")[0]) > 0


def test_producer_that_is_stopped_has_delivered_all(project: Path, stream: Stream) -> None:
    process = produce(project, stream, STREAM_RATE="500", STREAM_BROKEN_PERCENT="0")
    wait_for(lambda: any(one for one in ends(stream) if one > 0), "it sends")
    process.send_signal(signal.SIGINT)
    said, wrong = process.communicate(timeout=60)
    assert (process.returncode, wrong) == (0, "")
    with consuming(project, stream, "--until-end") as consumer:
        read, _ = consumer.communicate(timeout=60)
    assert read.split(" ")[0] == said.split(" ")[0]
    assert " 0 invalid" in read


def produce(project: Path, stream: Stream, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(project / "run.py"), "stream", "produce"],
        env=stream.environment(**environment),
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ends(stream: Stream) -> list[int]:
    """The ends of the partitions, as far as the broker tells them."""
    from confluent_kafka import Consumer, TopicPartition

    with closing(Consumer({**stream.cluster.options(), "group.id": "test"})) as client:
        topics = client.list_topics(timeout=10).topics
        numbers = topics[TOPIC].partitions if TOPIC in topics else ()
        places = [TopicPartition(TOPIC, number) for number in numbers]
        return [client.get_watermark_offsets(place, timeout=10)[1] for place in places]
