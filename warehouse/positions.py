"""The positions of models in the change log, and what is done before and after they read it."""

from datetime import timedelta

from psycopg2.extensions import connection as Connection

WAITED_FOR = timedelta(days=30)
CHANGES_KEPT = 1_000_000
"""For a model that is not built, the change log is kept no longer and no larger than this."""


def analyze_changes(connection: Connection) -> None:
    """Analyze the change log, so that PostgreSQL knows how many changes there are.

    Otherwise it would expect as many as before, and read large tables completely for a few keys.
    """
    with connection.cursor() as cursor:
        cursor.execute("analyze mrr_state.change_log")


def forget_read_changes(connection: Connection, models: set[str] | None) -> int:
    """Delete the changes that every model has built; returns how many they were.

    `models` are the models of the project, None if they are not known. Changes are not kept for a
    model that was removed or switched off, or that was not built for long. Such a model reads
    everything when it is built again, as does a model that was never built.
    """
    with connection.cursor() as cursor:
        if models is not None:
            cursor.execute(
                "delete from mrr_state.model_position where not model_name = any(%s)",
                (list(models),),
            )
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
            "delete from mrr_state.change_log where change_id <= coalesce("
            "(select min(built_to) from mrr_state.model_position where built_to >= 0),"
            " (select max(change_id) from mrr_state.change_log))"
        )
        return cursor.rowcount
