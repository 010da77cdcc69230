"""Erases persons from the layers of the warehouse and from its logs, in the caller's transaction.

Everything goes at once: the rows of the mirror, with entries in the change log, every version in
the history, the rows of `dwh`, and the texts of logs that quote a value of the person.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from psycopg2.extensions import cursor as Cursor

from common.quoting import quoted, text_literal
from common.rows import one_value
from warehouse.connection import relation_exists
from warehouse.landed_texts import LandedTexts
from warehouse.mirror_versions import renew_version
from warehouse.notes import delete_notes, erased_keys_in_notes, key_columns
from warehouse.persons import (
    NUMBERS,
    PersonPlace,
    TextColumns,
    canonical,
    erased_keys,
    nobody_of,
    of_persons,
)

MIRROR = "mrr"
ERASED = "(erased)"
SHORTEST = 2
LOGS = {
    "dwh.run_log": ("error_message",),
    "dwh.procedure_errors": ("error_message", "context"),
    "dwh.alert_incident": ("problem",),
    "dwh.mirror_anomaly": ("source_value", "stored_value"),
}
"""The texts of logs that may quote a value."""
WAIT = "60s"
"""How long to wait for builds that are under way."""


@dataclass(frozen=True)
class Erased:
    """How many rows of a relation were deleted, or no longer name a person."""

    relation: str
    rows: int
    is_kept: bool = False


@dataclass
class Values:
    """The personal values that were found, which logs may quote."""

    texts: set[str] = field(default_factory=set)

    @property
    def pattern(self) -> str | None:
        """A regular expression, of Python and of PostgreSQL, that finds them; None if none is."""
        # a statement of SQL has an apostrophe twice
        escaped = (re.escape(text).replace("'", "''?") for text in self.texts)
        words = sorted(escaped, key=len, reverse=True)
        return rf"(?<!\w)(?:{'|'.join(words)})(?!\w)" if words else None

    def add(self, texts: Iterable[str | None]) -> None:
        """Add values; a number of few digits would be found everywhere."""
        for text in texts:
            is_number = bool(text) and re.fullmatch(r"[\d.,-]{1,5}", text or "") is not None
            if text and len(text.strip()) >= SHORTEST and not is_number:
                self.texts.add(text.strip())


@dataclass(frozen=True)
class Erasure:
    """The erasure of persons from the relations that exist now."""

    cursor: Cursor
    run_id: str
    values: Values = field(default_factory=Values)

    def erase(
        self, places: Sequence[PersonPlace], keys: Mapping[str, Sequence[str]]
    ) -> list[Erased]:
        """Erase the persons that have these keys, by the kind of person."""
        present = [(place, self._columns(place)) for place in places if keys.get(place.subject)]
        present = [
            (place, columns)
            for place, columns in present
            if place.column in columns or (columns and place.texts)
        ]
        for place, columns in present:
            self._collect(place, columns, keys[place.subject])
        found = []
        for place, columns in present:
            if place.texts:
                found += self._erase_from_texts(place, place.texts, keys[place.subject])
            else:
                rows = self._erase_from(place, columns, keys[place.subject])
                found.append(Erased(place.full_name, rows, not place.erases_rows))
        found += self._clean_logs()
        for erased in found:
            if erased.rows:
                # the planner's statistics have values of the rows that were there
                self.cursor.execute(f"analyze {quoted(*erased.relation.split('.', 1))}")
        return found

    def in_another_case(self, places: Iterable[PersonPlace], key: str) -> list[Erased]:
        """How many rows have a key that differs in case only, which may be the same person's."""
        found = []
        for place in places:
            if self._columns(place).get(place.column) == "text":
                column = quoted(place.column)
                self.cursor.execute(
                    f"select count(*) from {place.relation}"
                    f" where lower({column}) = lower(%(key)s) and {column} <> %(key)s",
                    {"key": key},
                )
                found.append(Erased(f"{place.schema}.{place.name}", one_value(self.cursor)))
        return [one for one in found if one.rows]

    def keys_of_erased(self, places: Iterable[PersonPlace]) -> dict[str, list[str]]:
        """The keys, by the kind of person, that the relations have of persons who were erased."""
        found: dict[str, set[str]] = {}
        for place in places:
            columns, keys = self._columns(place), []
            if columns and place.texts:
                keys = LandedTexts(self.cursor, place, place.texts).keys_of_erased()
            elif place.column in columns:
                column = canonical(quoted(place.column))
                keys = erased_keys(self.cursor, place.subject, place.relation, column)
                if _has_notes(place):
                    keys += erased_keys_in_notes(self.cursor, place)
            found.setdefault(place.subject, set()).update(keys)
        return {subject: sorted(keys) for subject, keys in found.items()}

    def wait_for_builds(self, places: Iterable[PersonPlace]) -> None:
        """Keep dbt from building the relations of `dwh` until the transaction ends."""
        self.cursor.execute("set local lock_timeout = %s", (WAIT,))
        self.cursor.execute("select current_database()")
        database = str(one_value(self.cursor))
        for place in places:
            if place.schema != MIRROR:
                # the lock of mrr_state.begin_build
                name = quoted(database, place.schema, place.name)
                self.cursor.execute(
                    "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,)
                )

    def _columns(self, place: PersonPlace) -> dict[str, str]:
        """The type of each column; empty if there is no such table."""
        self.cursor.execute(
            "select attname, format_type(atttypid, null) from pg_attribute"
            " inner join pg_class on attrelid = pg_class.oid"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped"
            " and relkind in ('r', 'p')",
            (place.relation,),
        )
        return dict(self.cursor.fetchall())

    def _collect(self, place: PersonPlace, columns: Mapping[str, str], keys: Sequence[str]) -> None:
        if place.texts:
            return  # they have keys, no names
        personal = [name for name in place.personal if name in columns]
        for name in personal:
            self.cursor.execute(
                f"select distinct {quoted(name)}::text from {place.relation}"
                f" where {of_persons(place, keys)}"
            )
            self.values.add(text for (text,) in self.cursor.fetchall())
        if _has_notes(place):
            # such as entries of earlier runs that no model has read yet
            delete_notes(self.cursor, place, keys)
            kind = columns[place.column]
            if key_columns(self.cursor, place) == [(place.column, kind)]:
                # of rows that were deleted before, the logs may have the key too
                self.values.add(_as_row_key(place.column, kind, key) for key in keys)
            row_key = self._row_key(place)
            self.cursor.execute(
                f"select ({row_key})::text from {place.relation} where {of_persons(place, keys)}"
            )
            self.values.add(text for (text,) in self.cursor.fetchall())

    def _erase_from(
        self, place: PersonPlace, columns: Mapping[str, str], keys: Sequence[str]
    ) -> int:
        where = of_persons(place, keys)
        changed = f"delete from {place.relation} where {where}"
        if not place.erases_rows:
            changed = f"update {place.relation} set {_nobody(place, columns)} where {where}"
        if place.schema != MIRROR:
            self.cursor.execute(changed)
            return self.cursor.rowcount
        # the key of a deleted person must not be logged either: models read such a table whole
        logged = "null::jsonb, 'load'" if place.erases_rows else "row_key, 'update'"
        forgotten = (
            ", forgotten as (delete from dwh.mirror_anomaly using changed"
            f" where table_name = {text_literal(place.name)}"
            " and mirror_anomaly.row_key = changed.row_key::text)"
        )
        # a restore of the mirror alone may find no dwh
        has_dwh = relation_exists(self.cursor, "dwh.mirror_anomaly")
        self.cursor.execute(
            f"with changed as ({changed} returning {self._row_key(place)} as row_key)"
            f"{forgotten if has_dwh else ''}"
            " insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
            f" select {text_literal(place.name)}, {logged}, {text_literal(self.run_id)}"
            " from changed"
        )
        rows = self.cursor.rowcount
        if rows:
            renew_version(self.cursor, place.name)
        return rows

    def _erase_from_texts(
        self, place: PersonPlace, texts: TextColumns, keys: Sequence[str]
    ) -> list[Erased]:
        changed, deleted = LandedTexts(self.cursor, place, texts).erase(keys)
        if deleted:
            noted = replace(place, column=texts.logged)
            delete_notes(self.cursor, noted, [str(key) for key in deleted])
            # the key of a deleted person must not be logged: models read such a table whole
            self.cursor.execute(
                "insert into mrr_state.change_log (table_name, operation, run_id)"
                " values (%s, 'load', %s)",
                (place.name, self.run_id),
            )
        self.cursor.execute(
            "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
            f" select %s, jsonb_build_object('{texts.logged}', logged), 'update', %s"
            " from jsonb_array_elements(%s) as changed (logged)",
            (place.name, self.run_id, json.dumps(list(dict.fromkeys(changed)))),
        )
        if changed or deleted:
            renew_version(self.cursor, place.name)
        found = Erased(place.full_name, len(changed), is_kept=True)
        gone = Erased(place.full_name, len(deleted))
        return [one for one in (found, gone) if one.rows]

    def _row_key(self, place: PersonPlace) -> str:
        """The key of a mirrored row as jsonb, as it is in the change log."""
        names = [name for name, _ in key_columns(self.cursor, place)]
        pairs = ", ".join(f"{text_literal(name)}, {quoted(name)}" for name in names)
        return f"jsonb_build_object({pairs})"

    def _clean_logs(self) -> list[Erased]:
        """Replace the values in the texts of logs."""
        pattern, found = self.values.pattern, []
        for table, columns in LOGS.items() if pattern else ():
            if not relation_exists(self.cursor, table):
                continue
            assigned = ", ".join(
                f"{name} = regexp_replace({name}::text, %(pattern)s, '{ERASED}', 'g')"
                for name in columns
            )
            some = " or ".join(f"{name}::text ~ %(pattern)s" for name in columns)
            self.cursor.execute(f"update {table} set {assigned} where {some}", {"pattern": pattern})
            if self.cursor.rowcount:
                found.append(Erased(table, self.cursor.rowcount, is_kept=True))
        return found


def _as_row_key(column: str, kind: str, key: str) -> str:
    """The key of a row as PostgreSQL writes it."""
    value = key if kind in NUMBERS else json.dumps(key, ensure_ascii=False)
    return f"{{{json.dumps(column, ensure_ascii=False)}: {value}}}"


def _has_notes(place: PersonPlace) -> bool:
    """True if its rows are noted by the key of a person."""
    return place.schema == MIRROR and place.erases_rows


def _nobody(place: PersonPlace, columns: Mapping[str, str]) -> str:
    """The assignments that leave a row of nobody."""
    assigned = [f"{quoted(place.column)} = {nobody_of(columns[place.column])}"]
    if place.member_key:
        assigned.append(f"{quoted(place.member_key)} = -1")
    assigned += [f"{quoted(name)} = null" for name in place.personal if name in columns]
    return ", ".join(assigned)
