"""The positions of the readers of the change log, and what is done before and after they read."""

from collections.abc import Collection
from datetime import timedelta

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.clickhouse_settings import KEEP_DAYS
from common.rows import one_value
from warehouse.connection import transaction
from warehouse.exports import KEPT, give_up_old

WAITED_FOR = timedelta(days=30)
PUBLISHED_KEPT = timedelta(days=KEEP_DAYS)
"""The default of how long changes are kept for a table that is not published meanwhile."""
WRITERS_WAITED_FOR = "1s"
CHANGES_KEPT = 1_000_000
"""For a reader that does not read, the change log is kept no longer and no larger than this."""


def analyze_changes(connection: Connection) -> None:
    """Analyze the change log, so that PostgreSQL knows how many changes there are.

    Otherwise it would expect as many as before, and read large tables completely for a few keys.
    """
    with connection.cursor() as cursor:
        cursor.execute("select mrr_state.analyze_changes()")


def last_change(connection: Connection) -> int | None:
    """The last change of which none before it is yet to be committed; None if that is not known."""
    try:
        with transaction(connection), connection.cursor() as cursor:
            cursor.execute("set local lock_timeout = %s", (WRITERS_WAITED_FOR,))
            # a change gets its number before it is committed
            cursor.execute("lock table mrr_state.change_log in share mode")
            cursor.execute("select coalesce(max(change_id), 0) from mrr_state.change_log")
            return int(one_value(cursor))
    except psycopg2.errors.LockNotAvailable:
        return None


def advance_positions(connection: Connection, models: Collection[str], to: int) -> None:
    """Let the positions of models that have read everything advance to a change.

    Otherwise the changes of other tables would be kept for them, and a model whose position was
    deleted, as while it was switched off, would read everything again.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into mrr_state.model_position as known (model_name, built_to, reading_to)"
            " select model_name, %s, %s from unnest(%s::text[]) as models (model_name)"
            " on conflict (model_name) do update set"
            " built_to = excluded.built_to, updated_at = clock_timestamp()"
            " where known.built_to < excluded.built_to",
            (to, to, sorted(models)),
        )


def forget_read_changes(
    connection: Connection, models: set[str], published_kept: timedelta = PUBLISHED_KEPT
) -> int:
    """Delete the changes that every model has built and publishing has read; returns how many.

    `models` are the models of the project. Changes are not kept for a model that was removed or
    switched off, or that was not built for long. Such a model reads everything when it is built
    again, as does a model that was never built. For a table that was not published for
    `published_kept`, they are not kept either: then the whole table is compared. Changes that an
    export has yet to read are kept elsewhere.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from mrr_state.model_position where not model_name = any(%s)",
            (list(models),),
        )
        _give_up_readers(cursor, published_kept)
        cursor.execute(
            "with deleted as ("
            "delete from mrr_state.change_log where change_id <= coalesce(least("
            "(select min(built_to) from mrr_state.model_position where built_to >= 0),"
            " (select min(read_to) from mrr_state.publication where read_to >= 0)),"
            f" (select max(change_id) from mrr_state.change_log)) returning *), {KEPT}"
            " select count(*) from deleted"
        )
        return int(one_value(cursor))


def _give_up_readers(cursor: Cursor, published_kept: timedelta) -> None:
    """Note for which readers changes are not kept any longer."""
    # a model that is being built now locks its row, and is skipped
    cursor.execute(
        "update mrr_state.model_position set built_to = -1 where model_name = any(array("
        "select model_name from mrr_state.model_position"
        " where built_to >= 0 and (updated_at < clock_timestamp() - %s"
        " or built_to < (select max(change_id) from mrr_state.change_log) - %s)"
        " for update skip locked))",
        (WAITED_FOR, CHANGES_KEPT),
    )
    cursor.execute(
        "update mrr_state.publication set read_to = -1 where read_to >= 0"
        " and (updated_at < clock_timestamp() - %s"
        " or read_to < (select max(change_id) from mrr_state.change_log) - %s)",
        (published_kept, CHANGES_KEPT),
    )
    give_up_old(cursor)
