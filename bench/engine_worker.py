"""An engine beside PostgreSQL, in a process of its own that answers statements with their time.

It is started with the packages of `make engines`. A line of its input is a JSON list of statements;
it answers with a line: the seconds of all of them, and the rows of the last one as texts.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

Rows = list[list[str]]


def duckdb_in(folder: Path) -> Callable[[str], Rows]:
    """DuckDB, with its reader of PostgreSQL, which lies beside the package."""
    import duckdb
    import duckdb_extension_postgres_scanner as scanner

    connection = duckdb.connect(str(folder / "engine.duckdb"), config={"threads": 2})
    (extension,) = Path(scanner.__path__[0]).rglob("postgres_scanner.duckdb_extension")
    connection.execute(f"load '{extension}'")
    connection.execute("attach '' as pg (type postgres, read_only)")

    def ask(statement: str) -> Rows:
        found = connection.execute(statement)
        return [[str(value) for value in row] for row in found.fetchall()]

    return ask


def clickhouse_in(folder: Path) -> Callable[[str], Rows]:
    """The engine of ClickHouse, in process."""
    from chdb.session import Session

    session = Session(str(folder / "clickhouse"))
    place = "'{PGHOST}:{PGPORT}', '{PGDATABASE}'".format(**os.environ)
    account = "'{PGUSER}', '{PGPASSWORD}'".format(**os.environ)
    session.query("set max_threads = 2")

    def ask(statement: str) -> Rows:
        # pg(name) is a table of the schema star
        while "pg(" in statement:
            head, _, tail = statement.partition("pg(")
            name, _, tail = tail.partition(")")
            statement = f"{head}postgresql({place}, '{name}', {account}, 'star'){tail}"
        text = str(session.query(statement, "TabSeparated"))
        return [line.split("\t") for line in text.splitlines()]

    return ask


ENGINES = {"duckdb": duckdb_in, "clickhouse": clickhouse_in}


def main() -> None:
    """Answer until the input ends. The arguments are the name of the engine and its folder."""
    name, folder = sys.argv[1:]
    ask = ENGINES[name](Path(folder))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what an engine prints is no answer
    for line in sys.stdin:
        began = time.monotonic()
        rows: Rows = []
        for statement in json.loads(line):
            rows = ask(statement)
        answers.write(json.dumps([time.monotonic() - began, rows]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
