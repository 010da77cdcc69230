"""A person who is to be erased, and whom the tests search for everywhere afterwards."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import embedded
from backup.layers import LAYERS
from tests.support.command_line import CommandLine

Query = Callable[..., list[tuple]]


@dataclass(frozen=True)
class Canary:
    """A person: patterns of values that nobody else has, and the key."""

    values: str
    key: str

    @property
    def pattern(self) -> str:
        """What finds a value or the key."""
        return rf"{self.values}|(?<!\d){self.key}(?!\d)"

    def is_in(self, octets: bytes) -> bool:
        return re.search(self.pattern.encode(), octets) is not None

    def in_warehouse(self, query: Query) -> dict[str, int]:
        """How many rows of which relation have the person in some column, as text."""
        relations = query(
            "select format('%I.%I', nspname, relname) from pg_class"
            " inner join pg_namespace on relnamespace = pg_namespace.oid"
            " where relkind in ('r', 'p', 'v', 'm') and nspname !~ '^pg_'"
            " and nspname <> 'information_schema' order by 1"
        )
        assert len(relations) > 40
        found = {}
        for (relation,) in relations:
            # the registry keeps the key for the loader, as long as the source has the person
            is_of_loader = relation == "mrr_forgotten.forgotten_key"
            ((rows,),) = query(
                f"select count(*) from {relation} as held where row(held.*)::text ~ %s",
                (self.values if is_of_loader else self.pattern,),
            )
            if rows:
                found[relation] = rows
        return found

    def in_files(self, project: CommandLine) -> list[str]:
        """The files that Tidemark and dbt have written and that have the person."""
        dbt = project.folder / "dbt_project"
        local = project.folder / ".local"
        return [
            str(path)
            for folder in (
                *(local / "logs", local / "landing", project.folder / "out"),
                *(dbt / "target", dbt / "logs"),
            )
            for path in sorted(folder.rglob("*"))
            if path.is_file() and self.is_in(path.read_bytes())
        ]


def rows_of_others(query: Query, *mine: object) -> dict[str, tuple]:
    """The number and the digest of the rows without these numbers, by the table."""
    tables = query(
        "select format('%I.%I', schemaname, tablename) from pg_tables"
        " where schemaname in ('mrr', 'dwh') and tablename ~ '_(fact|dim|history)_' order by 1"
    )
    assert len(tables) > 5
    pattern = rf"\m({'|'.join(map(str, mine))})\M"
    return {
        table: query(
            "select count(*), md5(string_agg(row(held.*)::text, ' ' order by row(held.*)::text))"
            f" from {table} as held where row(held.*)::text !~ %s",
            (pattern,),
        )[0]
        for (table,) in tables
    }


def done(command_line: CommandLine, *arguments: str) -> str:
    """What a command says that comes out well."""
    ended = command_line.run(*arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def newest_backup(project: CommandLine) -> Path:
    return max(path for path in (project.folder / ".local" / "backups").iterdir() if path.is_dir())


def unpacked(servers: embedded.Servers, backup: Path) -> bytes:
    """A backup as SQL."""
    folders = os.pathsep.join([*map(str, servers.programs), os.environ["PATH"]])
    program = shutil.which("pg_restore", path=folders)
    assert program
    text = b""
    for layer in LAYERS:
        made = subprocess.run(
            [program, "--file=-", backup / layer], capture_output=True, check=True
        )
        text += made.stdout
    return text
