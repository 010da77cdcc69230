"""How far dbt's incremental models have read the change log, and what is cut off behind them."""

from psycopg2.extensions import connection as Connection


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
