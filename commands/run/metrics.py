"""The metrics of a run in Prometheus' text format, for the textfile collector of node_exporter."""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg2

from commands.run.work import RunResult
from commands.status import Status, status
from commands.telling import tell
from common.errors import ExitCode, TidemarkError
from common.settings import Address
from common.stopping import Stopped
from common.version import own_version
from warehouse.connection import connect, relation_exists
from warehouse.run_log import last_success_at

OF_RUN = {
    "tidemark_info": "The version of Tidemark; always 1.",
    "tidemark_run_success": "Whether the last run ended with 0.",
    "tidemark_run_exit_code": "The exit code of the last run.",
    "tidemark_run_end_timestamp_seconds": "When the last run ended.",
    "tidemark_run_duration_seconds": "How long the last run took.",
    "tidemark_run_applied_rows": "Rows that the last run applied to the mirror.",
    "tidemark_run_nodes": "Nodes of dbt in the last run, by the word that dbt uses.",
    "tidemark_table_success": "Whether the last run that worked on the table mirrored it.",
    "tidemark_table_duration_seconds": "How long it took for the table.",
    "tidemark_table_applied_rows": "Rows of the table that it inserted, updated and deleted.",
}
"""What a run knows by itself, and its help; tables that it left out are missing."""
OF_WAREHOUSE = {
    "tidemark_run_last_success_timestamp_seconds": "When a run last ended with 0.",
    "tidemark_backup_last_success_timestamp_seconds": "When a backup last succeeded.",
    "tidemark_table_read_timestamp_seconds": "When the rows were read that have reached dwh.",
    "tidemark_table_compared_timestamp_seconds": "When the table was last compared.",
    "tidemark_table_equal": "Whether the table was equal to its source then.",
    "tidemark_table_mirror_rows": "Rows of the table in the mirror then.",
}
"""What the control tables know. If they cannot be read, what the file said before is kept."""
OF_NOW = {
    "tidemark_table_lag_seconds": "Seconds from that read to the end of the last run.",
}
"""What the control tables know, and what is wrong if it is kept."""
FAMILIES = OF_RUN | OF_WAREHOUSE | OF_NOW
"""Every metric, all of them gauges, and its help."""

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels, float]


@dataclass
class Noted:
    """What is known of a run so far: which warehouse it works on, and at its end the result."""

    warehouse: Address | None = None
    result: RunResult | None = None


@contextmanager
def written_at_the_end(file: Path | None) -> Iterator[Noted]:
    """Write the metrics of the run in the block, whether it succeeds or not; without a file, none.

    Nothing is written if another run holds the lock, since that run will report. A file that cannot
    be written is a warning, and does not change the result.
    """
    noted, started = Noted(), time.monotonic()
    exit_code = int(ExitCode.FAILED)
    try:
        yield noted
        exit_code = int(noted.result.exit_code) if noted.result else ExitCode.DONE
    except (TidemarkError, Stopped) as error:
        exit_code = int(error.exit_code)
        raise
    finally:
        if file is not None and exit_code != ExitCode.LOCKED:
            _write(file, noted, exit_code, time.monotonic() - started)


def _write(file: Path, noted: Noted, exit_code: int, seconds: float) -> None:
    lines = text_of(samples_of_run(noted.result, exit_code, seconds))
    found = _samples_of_warehouse(noted.warehouse) if noted.warehouse else None
    try:
        lines += text_of(found) if found is not None else _kept(file)
        replace_file(file, "".join(f"{line}\n" for line in lines))
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        hint = "Set METRICS_FILE to a file that this account may write, or remove it."
        tell(f"metrics {file}: {reason}\nHINT: {hint}", is_warning=True)


def samples_of_run(result: RunResult | None, exit_code: int, seconds: float) -> list[Sample]:
    """What a run knows by itself; without a result, that it failed."""
    samples: list[Sample] = [
        ("tidemark_info", (("version", own_version()),), 1),
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
    for one in result.tables:
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


def _samples_of_warehouse(warehouse: Address) -> list[Sample] | None:
    """What the control tables know; None if they cannot be read."""
    try:
        found = status(warehouse)
        with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
            is_there = relation_exists(cursor, "dwh.run_log")
            succeeded_at = last_success_at(cursor, "run") if is_there else None
    except (TidemarkError, psycopg2.Error):
        return None
    return samples_of_status(found, succeeded_at)


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


def text_of(samples: Iterable[Sample]) -> list[str]:
    """The samples in Prometheus' text format, each metric with its help and its type."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample[0], []).append(sample)
    lines = []
    for name, found in by_name.items():
        lines += [f"# HELP {name} {FAMILIES[name]}", f"# TYPE {name} gauge"]
        lines += [_line(*sample) for sample in found]
    return lines


def _line(name: str, labels: Labels, value: float) -> str:
    shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    number = int(value) if isinstance(value, (bool, int)) else repr(value)
    return f"{name}{{{shown}}} {number}" if shown else f"{name} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _kept(file: Path) -> list[str]:
    """The lines of the former file that are still true: those about the warehouse."""
    if not file.exists():
        return []
    kept = []
    for line in file.read_text(encoding="utf-8").splitlines():
        words = line.split(" ")
        name = words[2] if words[0] == "#" and len(words) > 2 else words[0].partition("{")[0]
        if name in OF_WAREHOUSE:
            kept.append(line)
    return kept


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
