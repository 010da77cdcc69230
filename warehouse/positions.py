"""How far dbt's models have read the change log, and what is done with it before and after them."""

from psycopg2.extensions import connection as Connection


def count_changes(connection: Connection) -> None:
    """Let PostgreSQL know how many changes there are.

    It would else expect as many as there were once, and read large tables whole for a few keys.
    """
    with connection.cursor() as cursor:
        cursor.execute("analyze mrr_state.change_log")


def forget_read_changes(connection: Connection, models: set[str]) -> int:
    """Drop the changes that every model has built; how many they were.

    `models` are the models of the project: the position of one that is gone holds nothing back.
    A model that was never built, or whose position is lost, reads everything anyway.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from mrr_state.model_position where not model_name = any(%s)", (list(models),)
        )
        cursor.execute(
            "delete from mrr_state.change_log where change_id <= coalesce("
            "(select min(built_to) from mrr_state.model_position where built_to >= 0),"
            " (select max(change_id) from mrr_state.change_log))"
        )
        return cursor.rowcount
