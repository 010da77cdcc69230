"""The metrics of a run in Prometheus' text format, for the textfile collector of node_exporter."""

import fcntl
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import psycopg2

from commands.run.result import RunResult
from commands.status import Status, status
from commands.telling import tell
from common.errors import ExitCode, TidemarkError
from common.settings import Address
from common.stopping import Stopped
from common.version import own_version
from warehouse.connection import connect, relation_exists
from warehouse.run_log import last_success_of_all_at

OF_RUN = {
    "tidemark_info": "The version of Tidemark; always 1.",
    "tidemark_run_success": "Whether the last run of everything ended with 0.",
    "tidemark_run_exit_code": "Its exit code.",
    "tidemark_run_end_timestamp_seconds": "When it ended.",
    "tidemark_run_duration_seconds": "How long it took.",
    "tidemark_run_applied_rows": "Rows that it applied to the mirror.",
    "tidemark_run_nodes": "Nodes of dbt in it, by the word that dbt uses.",
}
"""What a run of everything knows by itself, and its help; another run leaves it as it was."""
OF_TABLE = {
    "tidemark_table_success": "Whether the last run that was to mirror the table did.",
    "tidemark_table_duration_seconds": "How long it took for the table.",
    "tidemark_table_applied_rows": "Rows of the table that it inserted, updated and deleted.",
}
"""What a run knows of each table that it is to mirror; that of the others stays as it was."""
OF_WAREHOUSE = {
    "tidemark_run_last_success_timestamp_seconds": "When a run of everything last ended with 0.",
    "tidemark_backup_last_success_timestamp_seconds": "When a backup last succeeded.",
    "tidemark_table_read_timestamp_seconds": "When the rows were read that have reached dwh.",
    "tidemark_table_compared_timestamp_seconds": "When the table was last compared.",
    "tidemark_table_equal": "Whether the table was equal to its source then.",
    "tidemark_table_mirror_rows": "Rows of the table in the mirror then.",
}
"""What the control tables know. If they cannot be read, what the file said before is kept."""
OF_NOW = {
    "tidemark_table_lag_seconds": "Seconds from that read to the end of the last run of any table.",
}
"""What the control tables know, and what is wrong if it is kept."""
FAMILIES = OF_RUN | OF_TABLE | OF_WAREHOUSE | OF_NOW
"""Every metric, all of them gauges, and its help."""

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels, float]
Lines = dict[str, list[str]]
"""Lines of samples by their metric."""


@dataclass
class Noted:
    """What is known of a run so far: what it works on, and at its end the result.

    `tables` are the names of those that it works on, and `others` of those that it leaves out; both
    are None if the declarations cannot be read. `is_partial` says that an option restricts it, to
    some tables or to some layers, and `reads` that it is to mirror its tables. `warning` is why the
    file could not be written.
    """

    is_partial: bool = False
    warehouse: Address | None = None
    tables: list[str] | None = None
    others: list[str] | None = None
    result: RunResult | None = None
    reads: bool = True
    warning: str | None = None


@contextmanager
def written_at_the_end(file: Path | None, noted: Noted) -> Iterator[None]:
    """Write the metrics of the run in the block, whether it succeeds or not; without a file, none.

    Nothing is written if another run holds the lock, since that run will report. A file that cannot
    be written is a warning, and does not change the result: it is noted, or told if the run fails.
    """
    started = time.monotonic()
    if file is None:
        yield
        return
    try:
        yield
    except (TidemarkError, Stopped) as error:
        if error.exit_code != ExitCode.LOCKED:
            _write(file, noted, int(error.exit_code), time.monotonic() - started)
        raise
    except BaseException:
        _write(file, noted, int(ExitCode.FAILED), time.monotonic() - started)
        raise
    else:
        exit_code = noted.result.exit_code if noted.result else ExitCode.DONE
        _write(file, noted, int(exit_code), time.monotonic() - started)
    finally:
        if noted.warning and not noted.result:
            tell(noted.warning, is_warning=True)


def _write(file: Path, noted: Noted, exit_code: int, seconds: float) -> None:
    try:
        # runs of several sources may end at the same time, and each keeps what the other wrote
        with _alone(file.parent):
            lines = merged(noted, exit_code, seconds, lines_of_file(file))
            replace_file(file, text_of(lines))
    except OSError as error:
        hint = "Set METRICS_FILE to a file that this account may write, or remove it."
        noted.warning = f"metrics {file}: {error.strerror}\nHINT: {hint}"


def merged(noted: Noted, exit_code: int, seconds: float, former: Lines) -> Lines:
    """The lines of a file: what is known now, and of the former ones what is still true."""
    lines = lines_of([("tidemark_info", (("version", own_version()),), 1)])
    if noted.is_partial:
        lines |= {name: former[name] for name in OF_RUN if name in former and name not in lines}
    else:
        lines |= lines_of(samples_of_run(noted.result, exit_code, seconds))
    of_tables = lines_of(samples_of_tables(noted))
    for name in OF_TABLE:
        kept = [one for one in former.get(name, []) if _is_of_another_run(one, name, noted)]
        lines[name] = of_tables.get(name, []) + kept
    found = None
    if noted.warehouse and noted.tables is not None and noted.others is not None:
        found = _samples_of_warehouse(noted.warehouse, {*noted.tables, *noted.others})
    if found is not None:
        return lines | lines_of(found)
    return lines | {name: former[name] for name in OF_WAREHOUSE if name in former}


def _is_of_another_run(line: str, name: str, noted: Noted) -> bool:
    """True if the line is of a table that this run does not mirror, or if that is not known."""
    if noted.others is None:
        return True
    left = [*noted.others, *(() if noted.reads else noted.tables or ())]
    return any(line.startswith(f'{name}{{table="{_escaped(one)}"') for one in left)


def samples_of_run(result: RunResult | None, exit_code: int, seconds: float) -> list[Sample]:
    """What a run of everything knows by itself; without a result, that it failed."""
    samples: list[Sample] = [
        ("tidemark_run_success", (), exit_code == ExitCode.DONE),
        ("tidemark_run_exit_code", (), exit_code),
        ("tidemark_run_end_timestamp_seconds", (), round(time.time(), 3)),
        ("tidemark_run_duration_seconds", (), round(seconds, 3)),
    ]
    if result is None:
        return samples
    samples.append(("tidemark_run_applied_rows", (), result.rows_applied))
    built = result.build.nodes if result.build else ()
    nodes = Counter(node.status for node in built if not node.is_hook)
    samples += [("tidemark_run_nodes", (("status", name),), count) for name, count in nodes.items()]
    return samples


def samples_of_tables(noted: Noted) -> list[Sample]:
    """What a run knows of the tables that it is to mirror; without a result, that it did not."""
    if not noted.reads:
        return []
    if noted.result is None:
        return [("tidemark_table_success", (("table", one),), 0) for one in noted.tables or ()]
    samples: list[Sample] = []
    for one in noted.result.tables:
        table = ("table", one.name)
        samples += [
            ("tidemark_table_success", (table,), one.error is None),
            ("tidemark_table_duration_seconds", (table,), round(one.seconds, 3)),
        ]
        if one.verification:
            samples += [
                ("tidemark_table_applied_rows", (table, ("change", change)), count)
                for change, count in vars(one.applied).items()
            ]
    return samples


def _samples_of_warehouse(warehouse: Address, tables: set[str]) -> list[Sample] | None:
    """What the control tables know; None if they cannot be read."""
    try:
        found = status(warehouse)
        with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
            is_there = relation_exists(cursor, "dwh.run_log")
            succeeded_at = last_success_of_all_at(cursor) if is_there else None
    except (TidemarkError, psycopg2.Error):
        return None
    # what a run no longer mirrors would grow old for ever
    mirrored = [one for one in found.tables if one.name in tables]
    return samples_of_status(replace(found, tables=mirrored), succeeded_at)


def samples_of_status(found: Status, succeeded_at: datetime | None) -> list[Sample]:
    """What the control tables know of the runs, of the backups, and of each table."""
    samples: list[Sample] = []
    for name, at in (("run", succeeded_at), ("backup", found.backup_at)):
        if at is not None:
            samples.append((f"tidemark_{name}_last_success_timestamp_seconds", (), at.timestamp()))
    for one in found.tables:
        known: dict[str, float | None] = {
            "read_timestamp_seconds": one.read_at.timestamp(),
            "lag_seconds": round(one.lag_seconds, 3),
            "compared_timestamp_seconds": (
                one.verified_at.timestamp() if one.verified_at else None
            ),
            "equal": one.is_equal,
            "mirror_rows": one.mirror_rows,
        }
        samples += [
            (f"tidemark_table_{name}", (("table", one.name),), value)
            for name, value in known.items()
            if value is not None
        ]
    return samples


def lines_of(samples: Iterable[Sample]) -> Lines:
    """The samples in Prometheus' text format, by their metric."""
    lines: Lines = {}
    for sample in samples:
        lines.setdefault(sample[0], []).append(_line(*sample))
    return lines


def text_of(lines: Lines) -> str:
    """The text of a file, in which each metric has its help and its type."""
    text = []
    for name, about in FAMILIES.items():
        if lines.get(name):
            text += [f"# HELP {name} {about}", f"# TYPE {name} gauge", *lines[name]]
    return "".join(f"{line}\n" for line in text)


def _line(name: str, labels: Labels, value: float) -> str:
    shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    number = int(value) if isinstance(value, (bool, int)) else repr(value)
    return f"{name}{{{shown}}} {number}" if shown else f"{name} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def lines_of_file(file: Path) -> Lines:
    """The samples of a former file, without lines that no run wrote."""
    lines: Lines = {}
    # a name of a table may have what Python takes for the end of a line
    for written in file.read_bytes().split(b"\n") if file.exists() else ():
        with suppress(UnicodeDecodeError):
            line = written.decode()
            name = line.partition(" ")[0].partition("{")[0]
            if name in FAMILIES:
                lines.setdefault(name, []).append(line)
    return lines


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other run writes a file of this folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace_file(file: Path, text: str) -> None:
    """Write the file in one step, readable by everybody, since a collector reads at any moment."""
    # the collector reads names that end with .prom alone
    aside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.chmod(0o644)
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)
