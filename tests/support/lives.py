"""What random lives of a source and its mirror share: connections, faults of a run, examples."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pymysql
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from common import pause
from embedded import Servers
from extract.mysql import session
from operational.connection import connection as operational_connection
from tests.support.life_checker import Query
from tests.support.mirror import Mirror

STEPS = 8
UNDONE = ("read", "landed", "upserted", "reconciled")
"""Where a run that dies has not committed the table that it works on."""
POINTS = (*UNDONE, "applied", "batch compared")


class Killed(BaseException):
    """The end of a process, as far as one can have it inside a test."""


@dataclass
class World:
    """What all lives of a test share."""

    mirror: Mirror
    query: Query
    writer: pymysql.Connection
    """The application's connection, each statement of which is a transaction."""
    other: pymysql.Connection
    """Another one, whose transactions stay open."""
    lives: int = 0
    at_point: Callable[[str], None] = lambda point: None

    def pause_point(self, point: str) -> None:
        self.at_point(point)

    def forget_point(self) -> None:
        self.at_point = lambda point: None

    @contextmanager
    def once_at(self, point: str, act: Callable[[], None], time: int = 1) -> Iterator[None]:
        """Act when a run comes to the point for the first, second, … time, if it comes there."""
        times = 0

        def at_point(reached: str) -> None:
            nonlocal times
            times += reached == point
            if reached == point and times == time:
                self.forget_point()
                act()

        self.at_point = at_point
        yield
        self.forget_point()

    def die(self) -> None:
        raise Killed

    def disconnect_reader(self) -> None:
        """Kill the extract's connection to the source."""
        with self.writer.cursor() as cursor:
            reader = self.mirror.endpoints.operational.user
            cursor.execute(
                "select id from information_schema.processlist where user = %s", (reader,)
            )
            for (number,) in cursor.fetchall():
                cursor.execute(f"kill connection {number}")

    def let_a_day_pass(self) -> None:
        """Every range's turn comes."""
        self.query("update mrr_state.key_range set compared_at = now() - interval '2 days'")


@contextmanager
def new_world(servers: Servers, mirror: Mirror, query: Query) -> Iterator[World]:
    """Small ranges, and an application that never waits for a lock."""
    mirror.limit(range_rows=100, ranges_compared_whole=2, ranges_per_scan=2, ranges_per_batch=2)
    with (
        operational_connection(servers.operational_root, mirror.database) as writer,
        operational_connection(servers.operational_root, mirror.database) as other,
        pytest.MonkeyPatch.context() as patch,
    ):
        for connection in (writer, other):
            with connection.cursor() as cursor:
                cursor.execute("set session transaction isolation level read committed")
                cursor.execute("set lock_wait_timeout = 0, innodb_lock_wait_timeout = 0")
        writer.autocommit(True)
        made = World(mirror, query, writer, other)
        patch.setattr(session, "RETRY_PAUSES", (0.01, 0.05, 0.2))
        patch.setattr(pause, "hold", made.pause_point)
        yield made
        other.rollback()


def live(life: type[RuleBasedStateMachine], world: World, default: int) -> None:
    """Live as many lives as TIDEMARK_LIFE_EXAMPLES says, by the seed TIDEMARK_SEED if it is set."""
    chosen = int(os.environ.get("TIDEMARK_SEED") or secrets.randbits(32))
    print(f"TIDEMARK_SEED={chosen}")
    run_state_machine_as_test(
        seed(chosen)(type("LifeOfThisWorld", (life,), {"world": world})),
        settings=settings(
            max_examples=int(os.environ.get("TIDEMARK_LIFE_EXAMPLES", default)),
            stateful_step_count=STEPS,
            deadline=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{world.lives} lives")
