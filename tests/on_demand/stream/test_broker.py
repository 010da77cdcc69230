"""The broker of a checkout: one process, found again, stopped with the other servers."""

import socket
from pathlib import Path

import embedded
from streaming.settings import Cluster
from streaming.topics import RETENTION, describe_topic, ensure_topics

FIRST_PORT = 19092


def test_broker_is_started_once_and_stopped_with_the_others(tmp_path: Path) -> None:
    first = embedded.start_broker(tmp_path)
    assert embedded.start_broker(tmp_path) == first
    assert embedded.running_broker(tmp_path) == first
    assert embedded.stop(tmp_path) == ["broker"]
    assert embedded.running_broker(tmp_path) is None


def test_broker_of_another_checkout_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    one, other = (embedded.start_broker(tmp_path / name) for name in ("one", "other"))
    assert one != other
    for name in ("one", "other"):
        assert embedded.stop(tmp_path / name) == ["broker"]


def test_port_that_is_taken_is_stepped_over(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port = FIRST_PORT
        while taken.connect_ex(("127.0.0.1", port)) == 0:
            port += 1
        taken.close()
        with socket.create_server(("127.0.0.1", port)):
            assert embedded.start_broker(tmp_path) != f"127.0.0.1:{port}"
    embedded.stop(tmp_path)


def test_topics_get_their_retention_and_are_left_as_they_are(tmp_path: Path) -> None:
    from confluent_kafka.admin import AdminClient, ConfigResource

    cluster = Cluster(embedded.start_broker(tmp_path))
    topic = ensure_topics(cluster)
    assert ensure_topics(cluster) == topic == describe_topic(cluster, topic.name)
    admin = AdminClient(cluster.options())
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in RETENTION]
    found = {
        one.name: answer.result(30)["retention.ms"].value
        for one, answer in admin.describe_configs(resources).items()
    }
    days = {name: kept.days * 86_400_000 for name, kept in RETENTION.items()}
    assert found == {name: str(milliseconds) for name, milliseconds in days.items()}
    assert days == {"customers": 604_800_000, "customers.dead_letter": 2_592_000_000}
    embedded.stop(tmp_path)
