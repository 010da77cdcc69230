"""A copy of the dbt project that a test may change, and people who read what it builds."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt_common.behavior_flags import BehaviorFlagRendered

from common import libpq
from common.settings import Address
from common.tls import NO_TLS
from warehouse.dbt_process import described_by
from warehouse.graph import Graph
from warehouse.parsing import digest_of_files, files_of

HURRY = (("lock_timeout = '5s'", "lock_timeout = '1s'"), ("'5min'", "'2s'"))
"""In a test, what waits is given up sooner."""
QUICKLY = ("--quiet", "--no-write-json", "--log-level", "none", "--log-level-file", "none")
"""Nobody reads what dbt would write of each invocation."""
READ_BY_DBT = ("DBT_", "DEMO_", "PG", "TIDEMARK_", "WAREHOUSE_")
"""How the names of the variables begin that dbt and the project read."""
NOT_ENCRYPTED = libpq.security_variables(NO_TLS)
"""What the profile needs of the environment; a connection of the test removes it from there."""
# for this, dbt goes through the whole stack, and once more in each invocation of a process
BehaviorFlagRendered._default_source = staticmethod(lambda: "")
parsed: dict[str, Any] = {}
"""What dbt has made of projects, by their files and by what it was told."""
WITHOUT_CONTRACT = "{{ config(contract={'enforced': false}) }}\n"


class Project:
    """A copy of the dbt project whose models a test writes, built in one warehouse."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, layer: str, name: str, sql: str) -> None:
        """A model of a test, without a contract."""
        folder = self.folder / "models" / layer / "test"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.sql").write_text(WITHOUT_CONTRACT + sql, encoding="utf-8")

    def free(self, path: str) -> None:
        """Let a model have other columns than its contract says."""
        file = self.folder / path
        file.write_text(WITHOUT_CONTRACT + file.read_text(encoding="utf-8"), encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    def dbt(self, *arguments: str, **environment: str) -> str:
        """What dbt says; it must succeed."""
        said, is_good = self._dbt(*arguments, **environment)
        assert is_good, said
        return said

    def refused(self, *arguments: str, **environment: str) -> str:
        """What dbt says where it must fail."""
        said, is_good = self._dbt(*arguments, **environment)
        assert not is_good, said
        return said

    def _dbt(self, *arguments: str, **environment: str) -> tuple[str, bool]:
        outcome = self.invoke(*arguments, **environment)
        results = outcome.result.results if outcome.result else []
        messages = [f"{result.node.name}: {result.message}" for result in results]
        return "\n".join([*messages, str(outcome.exception or "")]), outcome.success

    def invoke(self, *arguments: str, **environment: str) -> dbtRunnerResult:
        """What dbt returns."""
        with self.patched(**environment):
            return dbtRunner(self._parsed(arguments)).invoke([*QUICKLY, *arguments])

    def graph(self, *arguments: str) -> Graph:
        """The graph of the project, as a run gets it from dbt."""
        with self.patched():
            described = described_by(self._parsed(arguments), arguments)
        assert isinstance(described, Graph), described
        return described

    @contextmanager
    def patched(self, **environment: str) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**self.environment, **environment}.items():
                patch.setenv(name, value)
            yield

    def _parsed(self, arguments: tuple[str, ...]) -> Manifest | None:
        """The project as dbt parses it, once for equal files; None if that fails, as dbt tells."""
        given = arguments[arguments.index("--vars") :][:2] if "--vars" in arguments else ()
        read = {name: value for name, value in os.environ.items() if name.startswith(READ_BY_DBT)}
        key = repr(
            (self.folder, given, sorted(read.items()), digest_of_files(files_of(self.folder)))
        )
        if key not in parsed:
            parsed[key] = dbtRunner().invoke([*QUICKLY, "parse", *given]).result
        return parsed[key] if isinstance(parsed[key], Manifest) else None

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DBT_PROJECT_DIR": str(self.folder),
            "DBT_PROFILES_DIR": str(self.folder.parent),
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "PGCLIENTENCODING": "UTF8",
            **NOT_ENCRYPTED,
        }


class Reader:
    """Somebody in a transaction of his own, with a name that a message can tell."""

    def __init__(self, address: Address, statement: str) -> None:
        self.connection = psycopg2.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            dbname=address.database,
            application_name="bi tool",
        )
        with self.connection.cursor() as cursor:
            cursor.execute(statement)

    @property
    def pid(self) -> int:
        return self.connection.info.backend_pid

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: Any) -> None:
        self.connection.close()
