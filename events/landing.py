"""Landing: events become rows of the mirror as they are, with their place and nothing else.

Each batch is a transaction. Its entry in the change log names all of its rows by one number, so
that the models read only what has landed since they were built.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.errors import TidemarkError
from common.pause import pause_point
from common.rows import one_value
from events.event import EVENT_BYTES, Event, TopicPlace
from events.tables import COLUMNS, PLACE_IN_TOPIC, qualified
from json_files.copying import as_text, copy_rows, escaped
from warehouse.connection import transaction
from warehouse.landed_texts import leave_out_erased
from warehouse.mirror_versions import renew_version
from warehouse.persons import EVENT_TEXTS, PersonPlace

BATCH_EVENTS = 100_000
BATCH_BYTES = 64 * 1_048_576
"""A batch of a topic is in memory, and is no longer than this, but for its last event."""
_ARRIVING = "pg_temp.arriving_events"


def land(
    connection: Connection,
    table: str,
    events: Iterable[Event],
    run_id: str,
    check: Callable[[], None] = lambda: None,
    person: PersonPlace | None = None,
) -> Iterator[int]:
    """Land the events; after each batch, once it is committed, how many rows it added.

    An event of a topic lands once, however often it is given. The events of one call are of files,
    or of topics; those of topics are read before the transaction begins, since a broker may let
    them wait. `check` is called before each commit. `person` says how the table names persons, of
    whom some may have been erased. An error of `events` that is a TidemarkError is raised once all
    that came before it has landed.
    """
    left = _UpToAnError(events)
    for first in left:
        batch: Iterable[Event] = chain([first], islice(left, BATCH_EVENTS - 1))
        copy = _copy
        if isinstance(first.place, TopicPlace):
            batch, copy = list(_bounded(batch)), _copy_of_topic
        with transaction(connection), connection.cursor() as cursor:
            landing_id = _log_landing(cursor, table, run_id)
            pause_point("landing")
            copy(cursor, qualified(table), landing_id, batch)
            landed = cursor.rowcount
            if person:
                leave_out_erased(cursor, person, EVENT_TEXTS, f"landing_id = {landing_id}")
            if landed:
                renew_version(cursor, table)
            else:
                _forget_landing(cursor, landing_id)
            check()
            pause_point("landed")
        yield landed
    with connection.cursor() as cursor:
        cursor.execute(f"analyze {qualified(table)}")
    if left.error:
        raise left.error


def _bounded(events: Iterable[Event]) -> Iterator[Event]:
    """The events up to the one with which they reach the bytes of a batch."""
    length = 0
    for event in events:
        yield event
        length += len(event.raw)
        if length >= BATCH_BYTES:
            return


def next_offsets(connection: Connection, table: str, topic: str) -> dict[int, int]:
    """For each partition of a topic the offset after the last one that has landed."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"select topic_partition, max(topic_offset) + 1 from {qualified(table)}"
            " where topic = %s group by topic_partition",
            (topic,),
        )
        return dict(cursor.fetchall())


def _log_landing(cursor: Cursor, table: str, run_id: str) -> int:
    """Log a landing, which is numbered by its own entry."""
    cursor.execute(
        "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
        " values (%s, '{}', 'insert', %s) returning change_id",
        (table, run_id),
    )
    landing_id = int(one_value(cursor))
    cursor.execute(
        "update mrr_state.change_log set row_key = jsonb_build_object('landing_id', change_id)"
        " where change_id = %s",
        (landing_id,),
    )
    return landing_id


def _forget_landing(cursor: Cursor, landing_id: int) -> None:
    cursor.execute("delete from mrr_state.change_log where change_id = %s", (landing_id,))


def _copy(cursor: Cursor, target: str, landing_id: int, events: Iterable[Event]) -> None:
    rows = (
        b"%d\t%d\t%b\t%b\n" % (landing_id, number, as_text(event.raw, EVENT_BYTES), _place(event))
        for number, event in enumerate(events, start=1)
    )
    copy_rows(cursor, f"{target} ({', '.join(COLUMNS)})", rows)


def _copy_of_topic(cursor: Cursor, target: str, landing_id: int, events: Iterable[Event]) -> None:
    """Copy only what is not there; COPY itself knows no conflicts."""
    cursor.execute(f"create temporary table arriving_events (like {target}) on commit drop")
    _copy(cursor, _ARRIVING, landing_id, events)
    cursor.execute(
        f"insert into {target} select * from {_ARRIVING}"
        " order by topic, topic_partition, topic_offset"
        f" on conflict {PLACE_IN_TOPIC} do nothing"
    )


def _place(event: Event) -> bytes:
    """The columns of the place: of a file, or of a topic."""
    place = event.place
    if isinstance(place, TopicPlace):
        topic = escaped(place.topic.encode())
        return b"\\N\t\\N\t%b\t%d\t%d" % (topic, place.partition, place.offset)
    name = escaped(place.file_name.encode("utf-8", "backslashreplace"))
    return b"%b\t%d\t\\N\t\\N\t\\N" % (name, place.line_number)


class _UpToAnError(Iterator[Event]):
    """Events up to an error for users, which is kept."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = iter(events)
        self.error: TidemarkError | None = None

    def __next__(self) -> Event:
        try:
            return next(self._events)
        except TidemarkError as error:
            self.error = error
            raise StopIteration from None
