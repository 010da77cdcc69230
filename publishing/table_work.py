"""Publishing one table: what has to be sent is decided, sent and proven here.

All of it reads one snapshot of the warehouse, so that both sides can be equal. Killed anywhere, the
next publish finds that the version in its state is not the one that ClickHouse has noted, compares
every row, and replaces the partitions that differ.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.pause import pause_point
from common.rows import one_value
from extract.progress import Progress
from publishing.changes import Changes, unread_changes
from publishing.client import Client
from publishing.comparing import (
    checked_changes,
    checked_whole,
    compare,
    replace_partitions,
)
from publishing.digests import Digest, different
from publishing.errors import PublicationDiffers
from publishing.event_versions import EventChanges, built_to, state_of_states
from publishing.loading import Key, Opening, load_ranges
from publishing.state import (
    COMPARED_WITHIN,
    FORGOTTEN,
    Checked,
    State,
    next_version,
    write_checked,
    write_marker,
    write_state,
)
from publishing.storage import Storage

CHANGES_AT_ONCE = 1_000_000
"""More changed keys are not sent one by one: the whole table is compared."""
COMPARED_WHOLE_ROWS = 100_000
"""After a change, every row of a smaller table is compared, and of a larger one what changed."""
COUNTED_ROWS = 10_000_000
"""A table of at most so many rows is counted in ClickHouse though nothing has changed."""


@dataclass(frozen=True)
class Done:
    """What was done with a table: in a word, how many rows were sent, and what was compared."""

    how: str
    sent: int = 0
    rows: int = 0
    checked: tuple[Checked, ...] = ()


@dataclass(frozen=True)
class TableWork:
    """The work on one table in a snapshot, which `cursor` reads; `connection` writes its state.

    `change` is the last change that the snapshot has for certain, None if that is not known.
    `marker` is the version that ClickHouse has noted for the table.
    """

    connection: Connection
    cursor: Cursor
    client: Client
    opening: Opening
    storage: Storage
    run_id: str
    change: int | None
    marker: int
    must_compare: bool
    may_repair: bool
    report_progress: Callable[[Progress], None]
    check: Callable[[], None]

    def publish(self, state: State) -> Done:
        """Bring the table in ClickHouse up to the snapshot, and prove it. Raises TableError."""
        since = datetime.now(UTC)
        if not state.is_loaded:
            return self._first(state, since)
        if not self.storage.relation.is_versioned:
            return self._snapshot(state, since)
        is_unfinished = state.version != self.marker or state.read_to == FORGOTTEN
        if self.storage.relation.published.events:
            source_state = self._source_state()
            is_unfinished = is_unfinished or source_state != state.source_state
            state = replace(state, source_state=source_state)
        unread = unread_changes(self.cursor, self.storage.relation, state.read_to)
        is_replaced = is_unfinished or unread.is_whole or unread.keys > CHANGES_AT_ONCE
        must_compare = is_replaced or self.must_compare or self._is_in_doubt(state, since)
        if unread.keys and not is_replaced:
            return self._follow(state, since, must_compare)
        if not must_compare:
            return self._leave(replace(state, read_to=self._position(state)))
        return self._compare(state, since, "compared", may_replace=is_replaced)

    def _snapshot(self, state: State, since: datetime) -> Done:
        """Publish a table whose changed rows nothing names."""
        source_state = self._source_state()
        is_written = source_state is None or source_state != state.source_state
        is_replaced = is_written or state.version != self.marker
        if is_replaced or self.must_compare or self._is_in_doubt(state, since):
            state = replace(state, source_state=source_state)
            return self._compare(state, since, "compared", may_replace=is_replaced)
        return self._leave(replace(state, read_to=FORGOTTEN))

    def _leave(self, state: State) -> Done:
        """Note that there was nothing to do, by the time of which changes are kept."""
        write_state(self.connection, state)
        return Done("unchanged", rows=state.rows or 0)

    def _position(self, state: State) -> int:
        """Up to which change the table is published now; none is kept if it does not name rows."""
        if not self.storage.relation.is_versioned:
            return FORGOTTEN
        position = max(state.read_to, 0) if self.change is None else self.change
        events = self.storage.relation.published.events
        return min(position, built_to(self.cursor, events)) if events else position

    def _first(self, state: State, since: datetime) -> Done:
        """Load the table for the first time, or go on with it where it stopped."""
        state = self._begin(state)
        relation = self.storage.relation
        if relation.is_versioned and not relation.published.events:
            sent = self._load(state)
        else:
            sent = replace_partitions(self.cursor, self.client, self.storage, state.version)
        state = replace(state, source_state=self._source_state())
        done = self._compare(state, since, "loaded", may_replace=True)
        return replace(done, sent=done.sent + sent)

    def _load(self, state: State) -> int:
        name, source = self.storage.relation.name, self.storage.relation.source
        self.cursor.execute(
            "select greatest(reltuples, 0)::bigint from pg_class where oid = to_regclass(%s)",
            (source,),
        )
        expected, done = int(one_value(self.cursor)), 0

        def checkpoint(last: Key, rows: int) -> None:
            nonlocal done
            done += rows
            self.check()
            write_state(self.connection, replace(state, loaded_to=last))
            pause_point("checkpoint written")
            self.report_progress(Progress(name, "published", done, expected))

        return load_ranges(self.cursor, self.opening, self.storage, state.loaded_to, checkpoint)

    def _follow(self, state: State, since: datetime, must_compare: bool) -> Done:
        """Publish what the log of changes names."""
        position, state = state.read_to, self._begin(state)
        kind = EventChanges if self.storage.relation.published.events else Changes
        changes = kind(self.cursor, self.client, self.storage, position, state.version)
        sent = changes.apply()
        rows = self._rows()
        if must_compare or rows <= COMPARED_WHOLE_ROWS:
            done = self._compare(state, since, "changed", is_begun=True)
            changes.drop()
            return replace(done, sent=done.sent + sent)
        left = changes.left_partitions()
        found = checked_changes(self.cursor, self.client, self.storage, changes.digests(), left)
        changes.drop()
        if not all(one.is_equal for one in found):
            done = self._compare(state, since, "repaired", is_begun=True)
            return replace(done, sent=done.sent + sent)
        self._finish(state, found, since, rows, is_whole=False)
        return Done("changed", sent, rows, tuple(found))

    def _compare(
        self,
        state: State,
        since: datetime,
        how: str,
        is_begun: bool = False,
        may_replace: bool = False,
    ) -> Done:
        """Compare every row, replace the partitions that differ, and compare these again.

        They are replaced if something was to be published, and otherwise if repairs are wanted.
        """
        if may_replace and how == "compared":
            how_if_replaced = "changed"
        else:
            how_if_replaced = "repaired" if how == "compared" else how
        may_replace = may_replace or self.may_repair
        ours, theirs = compare(self.cursor, self.client, self.storage)
        differing, sent, before = different(ours, theirs), 0, theirs
        if differing and may_replace:
            state = state if is_begun else self._begin(state)
            sent = replace_partitions(
                self.cursor, self.client, self.storage, state.version, differing
            )
            again, now = compare(self.cursor, self.client, self.storage, differing)
            theirs = {key: one for key, one in theirs.items() if key not in differing} | now
            # both digests of a comparison have the same salt
            ours = {key: one for key, one in ours.items() if key not in differing} | again
        replaced = differing if may_replace else []
        found = checked_whole(ours, theirs, {one: before.get(one, Digest()) for one in replaced})
        rows = sum(one.rows for one in ours.values())
        if not all(one.is_equal for one in found):
            write_checked(self.connection, self.run_id, self.storage.relation.name, since, found)
            names = [str(one.partition) for one in found if not one.is_equal]
            raise PublicationDiffers(self.storage.relation.name, names, may_replace)
        self._finish(state, found, since, rows, is_whole=True)
        return Done(how_if_replaced if differing else how, sent, rows, tuple(found))

    def _begin(self, state: State) -> State:
        """Note a version of its own before anything is sent: if this is not finished, it shows."""
        state = replace(state, version=next_version(state.version, self.marker))
        write_state(self.connection, state)
        pause_point("publishing begun")
        return state

    def _finish(
        self, state: State, found: Collection[Checked], since: datetime, rows: int, is_whole: bool
    ) -> None:
        """Let readers see the rows, and note what was published and proven."""
        table = self.storage.relation.name
        self.check()
        if not state.is_loaded or is_whole:
            self.client.execute(self.storage.create_view())
        pause_point("proven")
        # one that ClickHouse has from elsewhere is that of these rows now, since all were compared
        version = max(state.version, self.marker)
        if version != self.marker:
            write_marker(self.client, self.storage.place, table, version)
        pause_point("marker written")
        write_checked(self.connection, self.run_id, table, since, found)
        position = self._position(state)
        state = replace(
            state, version=version, is_loaded=True, loaded_to=None, read_to=position, rows=rows
        )
        write_state(self.connection, state, is_compared=is_whole)
        pause_point("state written")

    def _is_in_doubt(self, state: State, now: datetime) -> bool:
        """Whether every row has to be compared though no change says so."""
        if state.compared_at is None or now - state.compared_at > COMPARED_WITHIN:
            return True
        rows = state.rows or 0
        if rows > COUNTED_ROWS:
            return False
        return int(self.client.value(f"select count() from {self.storage.current}")) != rows

    def _rows(self) -> int:
        self.cursor.execute(f"select count(*) from {self.storage.relation.source}")
        return int(one_value(self.cursor))

    def _source_state(self) -> str | None:
        """A text that is another one once the table was written to; None for a view.

        A build shows at once. Of rows that others write, the statistics tell as soon as their
        session ends, or after a second at most if it goes on working.
        """
        relation = self.storage.relation
        if relation.published.events:
            return state_of_states(self.cursor, relation.published.events)
        self.cursor.execute(
            "select concat_ws(' ', relation_state, partitions, rows_written,"
            " (select max(build_version) from mrr_state.built_node"
            " where split_part(unique_id, '.', 3) = %s),"
            " (select mirror_version from mrr_state.mirror_version where table_name = %s))"
            " from mrr_state.relation_states(array[%s])"
            " inner join pg_class on pg_class.oid = to_regclass(relation_name)"
            " where relkind in ('r', 'p')",
            (relation.name, relation.name, relation.source),
        )
        found = self.cursor.fetchone()
        return found[0] if found else None
