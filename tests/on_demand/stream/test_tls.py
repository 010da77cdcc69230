"""A broker that is reached by TLS: its certificate is checked, and all goes encrypted.

Tansu has no TLS, so that something before it decrypts, as a load balancer does.
"""

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from common.settings import Address
from embedded.broker import PROGRAM
from streaming.errors import StreamError
from streaming.settings import Cluster, read_stream_settings
from streaming.topics import ensure_topics
from tests.support.certificates import ELSEWHERE, Authority, Certificate
from tests.support.streams import Stream, consuming, simulated
from tests.support.tls_front import TlsFront, tls_front
from tests.support.waiting import wait_for


@dataclass(frozen=True)
class Secured:
    """A broker behind TLS, and the certificates of its authority."""

    front: TlsFront
    authority: Authority

    def cluster(self, **changes: str) -> Cluster:
        """The cluster as the settings describe it."""
        address = self.front.reached
        settings = {
            "KAFKA_BOOTSTRAP": f"{address.host}:{address.port}",
            "KAFKA_CA_FILE": str(self.authority.path),
            **changes,
        }
        cluster = read_stream_settings(settings, Path("none")).cluster
        assert cluster
        return cluster


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    authority = Authority(tmp_path, "authority")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Address("127.0.0.1", port, "", "", "")
    with tls_front(server, authority.certificate("right"), is_asked=False) as front:
        told = f"tcp://127.0.0.1:{front.reached.port}"
        urls = ["--listener-url", f"tcp://127.0.0.1:{port}", "--advertised-listener-url", told]
        command = [str(PROGRAM), "broker", "--silent", *urls, "--storage-engine", "memory://tansu/"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: _listens(port), "the broker listens")
            yield Secured(front, authority)
        finally:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_messages_are_sent_and_consumed_by_tls(
    project: Path, secured: Secured, database: Address
) -> None:
    stream = Stream(secured.cluster(), database)
    stream.send(simulated(500, seed=2))
    ca = str(secured.authority.path)
    with consuming(project, stream, "--until-end", KAFKA_CA_FILE=ca) as process:
        _, wrong = process.communicate(timeout=120)
        assert process.returncode == 0, wrong
    stream.check()
    assert b"customer_id" in secured.front.heard


@pytest.mark.parametrize("certificate", ["expired", "other name", "unknown authority"])
def test_certificate_that_is_wrong_is_refused_before_anything_is_sent(
    secured: Secured, tmp_path: Path, certificate: str
) -> None:
    authority = secured.authority
    wrong: dict[str, Certificate] = {
        "expired": authority.certificate("expired", expires_in=timedelta(seconds=-1)),
        "other name": authority.certificate("elsewhere", ELSEWHERE),
        "unknown authority": Authority(tmp_path, "stranger").certificate("strange"),
    }
    secured.front.present(wrong[certificate])
    with pytest.raises(StreamError, match="does not answer"):
        ensure_topics(secured.cluster())
    assert not secured.front.heard


def test_broker_with_tls_is_not_spoken_to_in_clear(secured: Secured) -> None:
    plain = replace(secured.cluster(), protocol="plaintext", authorities="")
    with pytest.raises(StreamError, match="does not answer"):
        ensure_topics(plain)
