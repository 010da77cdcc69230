"""The workload of an application: inserts, updates and deletes, each committed on its own."""

import secrets
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from random import Random

from common.errors import UsageError
from common.suggestion import did_you_mean
from embedded import Servers
from operational.connection import connection
from operational.seed import DOMAINS
from operational.workload import Workload


@dataclass(frozen=True)
class SimulationResult:
    """How many rows were written, one per operation; `late`: stamped before their commit."""

    inserts: int
    updates: int
    deletes: int
    late: int
    seed: int


def simulate(
    servers: Servers, operations: int, seed: int | None = None, domain: str = "sales"
) -> SimulationResult:
    """Write as the application of a domain does; a seed writes the same rows again on equal rows.

    A domain that can be simulated has a module `workload` whose `WORKLOAD` is a subclass of
    Workload.
    """
    simulated = sorted(path.parent.name for path in DOMAINS.glob("*/workload.py"))
    if domain not in simulated:
        raise UsageError(
            f"domain {domain}",
            "has no workload",
            f"{did_you_mean(domain, simulated)}Name one of {', '.join(simulated)}.",
        )
    seed = secrets.randbelow(2**32) if seed is None else seed
    counts: Counter[str] = Counter()
    with connection(servers.operational_admin, domain) as application:
        workload: Workload = import_module(f"operational.{domain}.workload").WORKLOAD(
            application, Random(seed)
        )
        for _ in range(operations):
            written = workload.write()
            application.commit()
            counts[written.kind] += 1
            counts["late"] += written.late
    return SimulationResult(
        counts["insert"], counts["update"], counts["delete"], counts["late"], seed
    )
