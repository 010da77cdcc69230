"""The workload of an application, each operation committed by itself, and generated histories."""

import secrets
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from types import ModuleType

from common.errors import UsageError
from common.suggestion import did_you_mean
from embedded import Servers
from operational import seed as sample
from operational.connection import connection
from operational.workload import Workload


@dataclass(frozen=True)
class SimulationResult:
    """How many rows the operations wrote; `late`: stamped before their commit."""

    inserts: int
    updates: int
    deletes: int
    late: int
    seed: int


@dataclass(frozen=True)
class HistoryResult:
    """How many rows were inserted into each table, and which of the rules are violated now."""

    rows: dict[str, int]
    rules: int
    violations: list[str]
    seed: int


def simulate(
    servers: Servers,
    operations: int,
    seed: int | None = None,
    domain: str = "sales",
    events: Path | None = None,
    documents: Path | None = None,
) -> SimulationResult:
    """Write as the application of a domain does; a seed writes the same rows again on equal rows.

    The domain's tables are created if they are missing. A domain that can be simulated has a module
    `workload` whose `WORKLOAD` is a subclass of Workload; one that writes `events` to a file, a
    module `events` with an EventFile; and one whose rows can be written as `documents` after the
    operations, a module `documents` with `write_documents`.
    """
    module = _module(domain, "workload", "workload")
    event_file = _module(domain, "events", "events").EventFile(events) if events else None
    writing = _module(domain, "documents", "documents") if documents else None
    sample.seed(servers, [domain])
    seed = secrets.randbelow(2**32) if seed is None else seed
    counts: Counter[str] = Counter()
    with connection(servers.operational_admin, domain) as application:
        workload: Workload = module.WORKLOAD(application, Random(seed))
        for _ in range(operations):
            for written in workload.write():
                counts[written.kind] += 1
                counts["late"] += written.late
                if event_file:
                    event_file.note(workload.cursor, written)
            application.commit()
            if event_file:
                event_file.append()
        if writing:
            writing.write_documents(workload.cursor, documents)
    return SimulationResult(
        counts["insert"], counts["update"], counts["delete"], counts["late"], seed
    )


def add_history(
    servers: Servers, size: int, seed: int | None = None, domain: str = "sales"
) -> HistoryResult:
    """Insert a generated history of this size, in one transaction, beside the rows that exist.

    The domain's tables are created if they are missing. A domain that has histories has a module
    `history` with `write_history`, and a module `rules` whose `check` returns which of its `RULES`
    the database violates.
    """
    module = _module(domain, "history", "generator of histories")
    rules = import_module(f"operational.{domain}.rules")
    sample.seed(servers, [domain])
    seed = secrets.randbelow(2**32) if seed is None else seed
    with connection(servers.operational_admin, domain) as application:
        cursor = application.cursor()
        rows = module.write_history(cursor, size, seed, sample.today())
        application.commit()
        violations = [str(violation) for violation in rules.check(cursor)]
    return HistoryResult(dict(rows), len(rules.RULES), violations, seed)


def _module(domain: str, name: str, what: str) -> ModuleType:
    """A module that some domains have. Raises UsageError for the others."""
    domains = sorted(path.parent.name for path in sample.DOMAINS.glob(f"*/{name}.py"))
    if domain not in domains:
        raise UsageError(
            f"domain {domain}",
            f"has no {what}",
            f"{did_you_mean(domain, domains)}Name one of {', '.join(domains)}.",
        )
    return import_module(f"operational.{domain}.{name}")
