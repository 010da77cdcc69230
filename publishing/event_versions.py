"""Events as versions of rows: of each key, ClickHouse keeps the event with the highest version.

Several events of a key can have one version. Which of them counts is decided by the model of their
states in PostgreSQL. So the version of a row in ClickHouse has two parts: that of the event, and
behind it the publish, if PostgreSQL had this event for the state of its key then, and otherwise 0.
An event that was the state of its key, and is not any longer, was published before the one that is.
So a version never has to be taken back, whatever arrives when, and how often.
"""

from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from common.pause import pause_point
from common.quoting import quoted, text_literal
from common.rows import one_value
from publishing.changes import Changes
from publishing.columns import DELETED, VERSION, Relation
from publishing.declared import Events
from publishing.errors import NotBuilt, TypeRefused
from publishing.sending import outs, send
from publishing.storage import Storage
from publishing.types import CHARACTER_LENGTH

ORDINALS = {
    "smallint": "{}::bigint",
    "integer": "{}::bigint",
    "bigint": "{}",
    "date": "('x' || encode(date_send({}), 'hex'))::bit(32)::integer::bigint",
    # the microseconds that PostgreSQL stores, exactly
    "timestamp without time zone": "('x' || encode(timestamp_send({}), 'hex'))::bit(64)::bigint",
    "timestamp with time zone": "('x' || encode(timestamptz_send({}), 'hex'))::bit(64)::bigint",
}
"""Of the types that the version of an event can have, a bigint in the same order."""
LOWEST, PUBLISHES = 2**63, 2**64
"""What makes a bigint positive, and how many publishes fit behind the version of an event."""


def schema_of(model: str) -> str:
    """The schema of a model, by its name."""
    return model.partition("_")[0]


def source_of(model: str) -> str:
    """A model in PostgreSQL's SQL."""
    return quoted(schema_of(model), model)


def check_events(cursor: Cursor, relation: Relation) -> None:
    """Raise NotBuilt or TypeRefused if the events do not have what the declaration says."""
    events = relation.published.events
    if events is None:
        return
    names = {column.name for column in relation.columns}
    if events.version not in names or _ordinal(relation, events) is None:
        raise TypeRefused(
            relation.name,
            f'"{events.version}" cannot be the version of its events',
            "Name a column of the table with a date, a timestamp or a whole number.",
        )
    for model in (events.source, events.states):
        cursor.execute(
            "select attname, format_type(atttypid, null) from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            (source_of(model),),
        )
        types = dict(cursor.fetchall())
        if not types:
            raise NotBuilt(model)
        missing = sorted((names | {events.deleted}) - types.keys())
        if missing or types[events.deleted] != "boolean":
            raise TypeRefused(
                relation.name,
                f'{model} has no column "{missing[0]}"'
                if missing
                else f'"{events.deleted}" of {model} is no boolean',
                "Its events and their states need all of its columns, and one that says whether"
                " the row is deleted.",
            )


def _ordinal(relation: Relation, events: Events) -> str | None:
    return ORDINALS.get(CHARACTER_LENGTH.sub("", relation[events.version].key_type))


def events_as_versions(storage: Storage, version: int, where: str = "") -> tuple[str, list[str]]:
    """PostgreSQL's query for events as versions of rows, and the columns that take its values.

    An event that is above the state of its key, or whose key has none, has landed since the states
    were built, and is left out; so is one that the condition `where` leaves out.
    """
    relation = storage.relation
    events = relation.published.events
    assert events
    of_event, of_state = (f"event.{quoted(events.version)}", f"state.{quoted(events.version)}")
    is_gone = f"event.{quoted(events.deleted)}"
    is_equal = f"{relation.source_text('event')} = {relation.source_text('state')}"
    is_state = (
        f"case when {of_event} = {of_state} and {is_gone} = state.{quoted(events.deleted)}"
        f" then {is_gone} or {is_equal} else false end"
    )
    ordinal = (_ordinal(relation, events) or "").format(of_event)
    number = (
        f"({ordinal}::numeric + {LOWEST}) * {PUBLISHES}"
        f" + case when {is_state} then {2 * version + 1} else 0 end"
    )
    query = (
        f"select {outs(relation.columns, 'event')}, {number}, {is_gone}::integer"
        f"{_from_events(relation, events)}{where}"
    )
    return query, [*storage.columns, VERSION, DELETED]


def _from_events(relation: Relation, events: Events) -> str:
    is_key = " and ".join(
        f"event.{column.source} = state.{column.source}" for column in relation.key
    )
    version = quoted(events.version)
    return (
        f" from {source_of(events.source)} as event inner join {source_of(events.states)} as state"
        f" on {is_key} and event.{version} <= state.{version}"
    )


def built_to(cursor: Cursor, events: Events) -> int:
    """Up to which change the states were built; -1 if that is not known."""
    cursor.execute(
        "select coalesce(max(built_to), -1) from mrr_state.model_position where model_name = %s",
        (events.states,),
    )
    return int(one_value(cursor))


def state_of_states(cursor: Cursor, events: Events) -> str | None:
    """A text that is another one once the states follow another rule, or are another table."""
    cursor.execute(
        "select concat_ws(' ', relation_state, (select code_digest from mrr_state.built_node"
        " where split_part(unique_id, '.', 3) = %s)) from mrr_state.relation_states(array[%s])",
        (events.states, source_of(events.states)),
    )
    found = cursor.fetchone()
    return found[0] if found else None


@dataclass(frozen=True)
class EventChanges(Changes):
    """The events that the log of changes names since a position, and the keys that they have."""

    def apply(self) -> int:
        """Publish the events; returns how many they are. Doing it twice changes nothing."""
        for statement in self.storage.create_changes():
            self.client.execute(statement)
        query, columns = events_as_versions(self.storage, self.version, f" where {self._unread()}")
        rows = send(self.cursor, self.client, self.relation, query, self.storage.changes, columns)
        pause_point("changes arrived")
        names = ", ".join(columns)
        self.client.execute(
            f"insert into {self.storage.rows} ({names}) select {names} from {self.storage.changes}"
        )
        pause_point("changes published")
        return rows

    def left_partitions(self) -> set[int]:
        """The only partition, in which a row may be gone."""
        return {0}

    def _of_changed_keys(self) -> str:
        """PostgreSQL's rows with the keys of the events.

        The keys are constants: of a join, the planner might take both sides for a few rows.
        """
        events = self.relation.published.events
        assert events
        self.cursor.execute(
            f"select distinct {self._key_text('event')}{_from_events(self.relation, events)}"
            f" where {self._unread()}"
        )
        keys = [key for (key,) in self.cursor.fetchall()]
        wanted = self.cursor.mogrify("%s::text[]", (keys,)).decode()
        known = f"{self.relation.source} as known"
        return f"(select known.* from {known} where {self._key_text('known')} = any({wanted}))"

    def _key_text(self, relation: str) -> str:
        keys = ", ".join(f"{relation}.{column.source}" for column in self.relation.key)
        return f"jsonb_build_array({keys})::text"

    def _unread(self) -> str:
        """The condition that the log of changes names an event since the position."""
        events = self.relation.published.events
        assert events
        names = ", ".join(f"event.{quoted(name)}" for name in events.log_key)
        logged = ", ".join(f"logged.{quoted(name)}" for name in events.log_key)
        return (
            f"({names}) in (select {logged} from mrr_state.change_log cross join lateral"
            # the key of the log with the types that its columns have
            f" jsonb_populate_record(null::{source_of(events.source)}, row_key) as logged"
            f" where table_name = {text_literal(events.log)} and change_id > {self.position}"
            " and row_key is not null)"
        )
