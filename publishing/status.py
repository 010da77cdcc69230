"""How far tables were published, for `status`: what the warehouse knows, without ClickHouse."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

PUBLICATIONS = """
    select
        publication.table_name, publication.target_name, publication.published_rows,
        publication.updated_at, publication.compared_at,
        verification.is_equal, verification.checked_at,
        case when publication.read_to >= 0 then (
            select count(distinct row_key) + count(*) filter (where row_key is null)
            from mrr_state.change_log
            where
                change_id > publication.read_to
                and table_name = coalesce(
                    %s::jsonb ->> publication.table_name, publication.table_name
                )
        ) end,
        coalesce((
            select max(built_at) > publication.updated_at
            from mrr_state.built_node
            where split_part(unique_id, '.', 3) = publication.table_name
        ), false)
    from mrr_state.publication
    left join lateral (
        select bool_and(is_equal) as is_equal, max(checked_to) as checked_at
        from dwh.publication_verification
        where
            publication_verification.table_name = publication.table_name
            and run_id = (
                select run_id
                from dwh.publication_verification as newest
                where newest.table_name = publication.table_name
                order by checked_to desc
                limit 1
            )
    ) as verification on true
    where publication.is_loaded
    order by publication.target_name, publication.table_name
"""


@dataclass(frozen=True)
class PublicationStatus:
    """The state of a table that was published to a target.

    `is_equal` is what its last comparison has found, at `checked_at`. `changes` is how many changed
    keys, or landings of events, are yet to be published; None if no log names its changes. Then
    `is_built_since` says whether it was built since.
    """

    table: str
    target: str
    rows: int | None
    published_at: datetime
    compared_at: datetime | None
    is_equal: bool | None
    checked_at: datetime | None
    changes: int | None
    is_built_since: bool

    @property
    def is_behind(self) -> bool:
        """Whether the warehouse has something that is yet to be published."""
        return self.is_built_since if self.changes is None else self.changes > 0


def read_publications(cursor: Cursor, logs: Mapping[str, str]) -> list[PublicationStatus]:
    """The published tables, by target and name; `logs` has the names in the log of changes."""
    cursor.execute(
        PUBLICATIONS,
        (json.dumps(dict(logs)),),
    )
    return [PublicationStatus(*row) for row in cursor.fetchall()]


def line_of_publications(target: str, tables: Sequence[PublicationStatus]) -> str:
    """What was published to a target, when last, whether it was equal, and what is waiting."""
    at = max(one.published_at for one in tables)
    differing = [one.table for one in tables if one.is_equal is False]
    behind = [one for one in tables if one.is_behind]
    changes = sum(one.changes or 0 for one in behind)
    equal = f"different: {', '.join(differing)}" if differing else "all were equal"
    waiting = "nothing is waiting"
    if behind:
        waiting = f"{len(behind)} of them behind"
        waiting += f", by {changes} changes of the mirror" if changes else ""
    count = "1 table" if len(tables) == 1 else f"{len(tables)} tables"
    return f"{target}  {count}, {at:%Y-%m-%d %H:%M:%S} UTC, {equal}, {waiting}"
