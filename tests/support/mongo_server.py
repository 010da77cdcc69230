"""A server that speaks MongoDB's protocol, in a process of its own: SecantusDB, for tests only."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from common.settings import LOCAL
from mongodb.settings import MongoSettings, read_mongo_settings
from tests.support.waiting import wait_for

PROGRAM = LOCAL / "secantus" / "bin" / "secantusd-py"
SHORT = "serverSelectionTimeoutMS=1500"
ADMIN = ("admin", "s3cr3t")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class MongoServer:
    """Started with options, stopped, killed, and started again, with what it has stored.

    `tls` are options of addresses by which its certificate is accepted.
    """

    folder: Path
    options: tuple[str, ...] = ("--enable-test-commands",)
    tls: str = ""
    port: int = field(default_factory=_free_port)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __enter__(self) -> "MongoServer":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        command = [str(PROGRAM), "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--storage-path", str(self.folder / "data"), "--log-level", "ERROR"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*command, *self.options], stdout=log, stderr=log)
        wait_for(self._answers, "the server")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait()

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def uri(
        self, user: str = "", password: str = "", database: str = "shop", more: str = ""
    ) -> str:
        account = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
        options = "&".join(
            filter(None, (SHORT, "authSource=admin" if user else "", self.tls, more))
        )
        return f"mongodb://{account}127.0.0.1:{self.port}/{database}?{options}"

    def settings(self, **values: str) -> MongoSettings:
        given = {"MONGODB_URI": self.uri(), "MONGODB_DUTY": "100"} | values
        found = read_mongo_settings(given, self.folder / ".env")
        assert found
        return found

    @contextmanager
    def client(self, user: str = "", password: str = "") -> Iterator["MongoClient[dict[str, Any]]"]:
        with MongoClient(self.uri(user, password)) as client:
            yield client

    def fill(self, documents: list[dict[str, Any]], collection: str = "transactions") -> None:
        """Make these all that the collection has."""
        with self.client() as client:
            client.shop[collection].delete_many({})
            if documents:
                client.shop[collection].insert_many(documents)

    def fail(self, command: str, mode: Any, **how: Any) -> None:
        """Let commands of this name fail, so many times or `alwaysOn`; `off` ends it."""
        with self.client() as client:
            client.admin.command(
                {
                    "configureFailPoint": "failCommand",
                    "mode": mode,
                    "data": {"failCommands": [command], "appName": "tidemark"} | how,
                }
            )

    def _answers(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            raise AssertionError((self.folder / "log").read_text("utf-8"))
        try:
            with self.client() as client:
                client.admin.command("ping")
        except PyMongoError:
            return False
        return True
