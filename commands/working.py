"""Work of a command on the warehouse: with its locks, after migrations, and logged."""

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from psycopg2.errors import InsufficientPrivilege
from psycopg2.extensions import connection as Connection

from commands.endpoints import Endpoints
from commands.failures import translated_errors
from common.errors import AnotherRun, ServerError, SettingError
from common.log import start_logging
from common.roles import OWNER
from warehouse.connection import RunLock, connect, run_locks
from warehouse.roles import are_behind, complete, grant
from warehouse.run_log import RunLog, Step, new_run_id
from warehouse.upgrade import is_behind, upgrade


@dataclass(frozen=True)
class Work:
    """What a command uses while it works on the warehouse. `step` is logged when it ends.

    `busy` are the sources that another command works on.
    """

    connection: Connection
    lock: RunLock
    run_log: RunLog
    step: Step
    busy: frozenset[str] = frozenset()

    @property
    def run_id(self) -> str:
        return self.run_log.run_id


@contextmanager
def work_on_warehouse(
    endpoints: Endpoints,
    process: str,
    sources: Collection[str] | None = None,
    role: str = "loader",
    step: str | None = None,
    scope: str | None = None,
) -> Iterator[Work]:
    """Hold the locks of these sources, or of the whole warehouse, and log the block as `process`.

    `step` is what it is logged as, if not as the process itself, and `scope` are the options that
    restrict it to a part of its work. That is done as a role. Before it, the warehouse is brought
    up to date, as its owner. Raises ServerError; SettingError if the owner is needed and not set;
    AnotherRun if another command holds the warehouse or all of the sources. Errors of a driver or
    of the system in the block are raised as TidemarkErrors.
    """
    run_id = new_run_id()
    start_logging(run_id)
    if role == OWNER:
        check_owner(endpoints)
    address = endpoints.account(role)
    with run_locks(address) as lock, closing(connect(address)) as connection:
        behind = _is_behind(connection, endpoints)
        if sources is None or behind:
            lock.hold_alone()
            if behind:
                bring_up_to_date(endpoints)
            if sources is not None:
                lock.downgrade()
        else:
            lock.share()
        busy = frozenset(name for name in sources or () if not lock.take(f"source {name}"))
        if sources and len(busy) == len(sources):
            raise AnotherRun(f"warehouse {address}")
        lock.take(run_id)
        run_log = RunLog(connection, run_id, scope)
        run_log.close_abandoned()
        with run_log.step(process, step or process) as logged, translated_errors(address):
            yield Work(connection, lock, run_log, logged, busy)


def check_owner(endpoints: Endpoints) -> None:
    """Raise SettingError if the account of the owner is not set."""
    if not endpoints.has_owner:
        raise SettingError(
            "WAREHOUSE_USER",
            "not set, and nobody else may do this",
            "Set it and WAREHOUSE_PASSWORD to the owner of the schemas, for this command.",
        )


def bring_up_to_date(
    endpoints: Endpoints, may_create: bool = False, again: bool = False
) -> dict[str, str]:
    """Apply migrations, and give the roles their privileges; returns what was done to accounts.

    The caller holds the warehouse alone. Accounts are created, or get the password that is set,
    only if `may_create` is true, and all is granted again if `again` is. Raises ServerError if the
    owner is not set, or may not do that.
    """
    owner = endpoints.warehouse
    if not endpoints.has_owner:
        raise ServerError(
            f"warehouse {owner}",
            "its tables, or the privileges of its roles, are not those of this version, and the"
            " account of its owner is not set",
            "Set WAREHOUSE_USER and WAREHOUSE_PASSWORD to the owner of the schemas, once.",
        )
    created: dict[str, str] = {}
    with closing(connect(owner)) as connection:
        if endpoints.roles:
            created = complete(connection, owner, endpoints.roles, may_create)
        applied = upgrade(connection)
        if endpoints.roles and (again or applied or are_behind(connection, endpoints.roles)):
            grant(owner, endpoints.roles, endpoints.demo_switch)
    return created


def _is_behind(connection: Connection, endpoints: Endpoints) -> bool:
    try:
        return is_behind(connection) or are_behind(connection, endpoints.roles)
    except InsufficientPrivilege:
        # nothing was granted to a role yet
        if not endpoints.roles:
            raise
        return True
