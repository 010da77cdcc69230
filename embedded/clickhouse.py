"""The private ClickHouse: its engine in a process of its own, behind a front that speaks HTTP."""

import base64
import http.client
import signal
import sys
from pathlib import Path

from common.errors import ServerError
from common.settings import LOCAL, PROJECT
from embedded.server import Server
from embedded.state import CLICKHOUSE, State

EXTRA = LOCAL / "olap"
"""Where `make olap` installs the engine."""
USER = "tidemark"
ANSWER_SECONDS = 5
DATA_PATH = "/tidemark/data"
"""The path at which the front names its data folder to whoever has the password."""


class ClickHouse(Server):
    """One engine with one account, which listens on 127.0.0.1."""

    name = "clickhouse"
    first_port = 18123
    pid_file = "front.pid"
    program_names = (
        "python",
        "python3",
        Path(sys.executable).name,
        f"python3.{sys.version_info[1]}",
    )
    stop_signal = signal.SIGTERM

    def __init__(self, home: Path, state: State, extra: Path = EXTRA) -> None:
        super().__init__(home, state)
        self._extra = extra

    @property
    def program_folders(self) -> tuple[Path, ...]:
        """The folders with the engine, this project and its Python."""
        return (self._extra, PROJECT, Path(sys.prefix))

    def make(self, folder: Path, lock: int) -> None:
        """Nothing: the engine makes its data when it starts."""

    def start(self) -> None:
        """Start it unless it is running. Raises ServerError, also if it is not installed."""
        if not (self._extra / "chdb").is_dir():
            raise ServerError(
                "embedded clickhouse",
                "its engine is not installed",
                "Install it with `make olap`, or set CLICKHOUSE_HOST to a server of your own.",
            )
        super().start()

    def command(self, port: int) -> list[str]:
        """The command of the front, which writes its pid into the data folder."""
        front = [sys.executable, "-m", "embedded.clickhouse_front"]
        return [*front, str(self.data), str(port), USER]

    def environment(self) -> dict[str, str]:
        """Where it finds the engine, and the password, which nobody else reads there."""
        folders = f"{PROJECT}:{self._extra}"
        password = self.state.password(CLICKHOUSE)
        return {"PYTHONPATH": folders, "TIDEMARK_CLICKHOUSE_PASSWORD": password}

    def answer(self) -> str | None:
        """The data folder that the front on our port reports."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        account = f"{USER}:{self.state.password(CLICKHOUSE)}"
        token = base64.b64encode(account.encode()).decode()
        try:
            connection.request("GET", DATA_PATH, headers={"Authorization": f"Basic {token}"})
            response = connection.getresponse()
            return response.read().decode() if response.status == http.HTTPStatus.OK else None
        except (OSError, http.client.HTTPException, UnicodeDecodeError):
            return None
        finally:
            connection.close()
