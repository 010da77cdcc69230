"""The life of an application: inserts, updates and deletes, each a commit of its own."""

import secrets
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from random import Random

from common.errors import UsageError
from common.suggestion import did_you_mean
from embedded import Servers
from operational.connection import connection
from operational.life import Life
from operational.seed import DOMAINS


@dataclass(frozen=True)
class SimulationResult:
    """How many rows were written, one per operation; `late`: stamped older than committed."""

    inserts: int
    updates: int
    deletes: int
    late: int
    seed: int


def simulate(
    servers: Servers, operations: int, seed: int | None = None, domain: str = "sales"
) -> SimulationResult:
    """Write as the application of a domain does; the same seed on the same rows, the same rows.

    A domain that can be simulated has a module `life` whose `LIFE` is its subclass of Life.
    """
    lively = sorted(path.parent.name for path in DOMAINS.glob("*/life.py"))
    if domain not in lively:
        raise UsageError(
            f"domain {domain}",
            "nothing simulates it",
            f"{did_you_mean(domain, lively)}Name one of {', '.join(lively)}.",
        )
    seed = secrets.randbelow(2**32) if seed is None else seed
    counts: Counter[str] = Counter()
    with connection(servers.operational_admin, domain) as application:
        life: Life = import_module(f"operational.{domain}.life").LIFE(application, Random(seed))
        for _ in range(operations):
            written = life.write()
            application.commit()
            counts[written.kind] += 1
            counts["late"] += written.late
    return SimulationResult(
        counts["insert"], counts["update"], counts["delete"], counts["late"], seed
    )
