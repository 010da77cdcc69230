"""How far dbt's models have read the change log, and what is done with it before and after them."""

from collections.abc import Iterable
from datetime import timedelta

from psycopg2.extensions import connection as Connection

WAITED_FOR = timedelta(days=30)
CHANGES_KEPT = 1_000_000
"""The change log is kept no longer, and no larger, for a model that is not built."""


def analyze_changes(connection: Connection) -> None:
    """Let PostgreSQL know how many changes there are.

    It would else expect as many as there were once, and read large tables whole for a few keys.
    """
    with connection.cursor() as cursor:
        cursor.execute("analyze mrr_state.change_log")


def forget_read_changes(
    connection: Connection, models: set[str] | None, left_out: Iterable[str] = ()
) -> int:
    """Drop the changes that every model has built; how many they were.

    `models` are the models of the project, None where dbt did not say: the position of one that
    is gone holds nothing back. Nor does that of one that no run builds (`left_out`), or that was
    not built for long. These read everything when they are built again, as does a model that was
    never built.
    """
    with connection.cursor() as cursor:
        if models is not None:
            cursor.execute(
                "delete from mrr_state.model_position where not model_name = any(%s)",
                (list(models),),
            )
        # one that is being built now holds its row, and is not waited for
        cursor.execute(
            "update mrr_state.model_position set built_to = -1 where model_name = any(array("
            "select model_name from mrr_state.model_position"
            " where built_to >= 0 and (model_name = any(%s)"
            " or updated_at < clock_timestamp() - %s"
            " or built_to < (select max(change_id) from mrr_state.change_log) - %s)"
            " for update skip locked))",
            (list(left_out), WAITED_FOR, CHANGES_KEPT),
        )
        cursor.execute(
            "delete from mrr_state.change_log where change_id <= coalesce("
            "(select min(built_to) from mrr_state.model_position where built_to >= 0),"
            " (select max(change_id) from mrr_state.change_log))"
        )
        return cursor.rowcount
