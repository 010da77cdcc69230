"""Change events of a topic land in the mirror: each once, whatever interrupts it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from common.settings import Address
from streaming.settings import Cluster
from streaming.topics import PRODUCING
from tests.support.command_line import CommandLine, check_told
from tests.support.servers import Query
from tests.support.waiting import wait_for

TOPIC = "ewallet.transactions"
LANDED = (
    "select topic_partition, topic_offset, coalesce(convert_to(event_text, 'UTF8'), event_bytes)"
    " from mrr.mrr_fact_ewallet_transaction_events"
)


def send(cluster: Cluster, texts: list[bytes]) -> dict[tuple[int, int], bytes]:
    """Send events; returns each with its place, once all are confirmed."""
    from confluent_kafka import Producer

    sent = {}
    client = Producer({**cluster.options(), **PRODUCING})
    for text in texts:
        client.produce(
            TOPIC,
            value=text,
            on_delivery=lambda error, place, text=text: sent.update(
                {(place.partition(), place.offset()): text}
            ),
        )
        client.poll(0)
    assert client.flush(60) == 0
    assert len(sent) == len(texts)
    return sent


def events(first: int, count: int) -> list[bytes]:
    made = [json.dumps({"operation": "insert", "row": number}).encode() for number in range(count)]
    return [*made, b"\xff\x00", b"", b"not JSON \\ \t", str(first).encode()]


def test_events_of_a_topic_land_once(
    project: Path, broker: Cluster, only_warehouse: Address, warehouse: Address, query: Query
) -> None:
    command = CommandLine(project, only_warehouse, warehouse)
    environment = {"KAFKA_BOOTSTRAP": broker.bootstrap, "DEMO_DOMAINS": "ewallet"}
    create(broker)
    sent = send(broker, events(1, 3000))
    folder = project.parent / "pause"
    folder.mkdir()
    # killed before and after its transaction, as far as a pause allows
    for point in ("landing", "landed"):
        process = subprocess.Popen(
            [sys.executable, str(project / "run.py"), "events", "--topic", TOPIC],
            env={**command.environment, **environment, "TIDEMARK_PAUSE": f"{point}:{folder}"},
            cwd=project,
        )
        wait_for((folder / "reached").exists, point)
        process.send_signal(signal.SIGKILL)
        process.wait()
        (folder / "reached").unlink()
        assert query("select count(*) from mrr.mrr_fact_ewallet_transaction_events") == [(0,)]
    for number in range(3):
        done = command.run("events", "--topic", TOPIC, **environment)
        assert done.returncode == 0, done.stderr
        rows = query(LANDED)
        assert len(rows) == len(sent)
        assert {(partition, offset): bytes(text) for partition, offset, text in rows} == sent
        if number:
            sent |= send(broker, events(number, 500))
    check_told(
        command.run("events", "--topic", "nowhere", **environment),
        1,
        "topic nowhere: the brokers do not know it",
    )


def create(cluster: Cluster) -> None:
    """The topic of the events, empty."""
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient(cluster.options())
    if TOPIC in admin.list_topics(timeout=60).topics:
        admin.delete_topics([TOPIC])[TOPIC].result(60)
    admin.create_topics([NewTopic(TOPIC, 3, 1)])[TOPIC].result(60)
