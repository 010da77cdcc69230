"""The erasure of a person: in one transaction, after the values in files are masked."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg2
from psycopg2.extensions import cursor as Cursor

import backup
from commands.endpoints import Endpoints
from commands.forget.files import mask_values
from commands.working import work_on_warehouse
from common.backup_settings import BackupSettings
from common.errors import TidemarkError, UsageError
from common.pause import pause_point
from common.roles import OWNER
from common.settings import Address
from common.suggestion import did_you_mean
from extract.extraction import LANDING_FOLDER
from extract.landing.files import remove_left_files
from streaming.persons import SUBJECT, erase_messages
from warehouse.connection import relation_exists, transaction
from warehouse.erasing import Erased, Erasure
from warehouse.persons import PersonPlace, is_registered, register


@dataclass(frozen=True)
class Subject:
    """A person: the kind, and the key at the source, as it was given."""

    kind: str
    key: str


@dataclass(frozen=True)
class Forgotten:
    """What was erased; `messages` are those that a consumer of a stream has set aside.

    `backups` are those that have the person, with the last day of each.

    The day is None for one that is kept as the newest verified.
    """

    erased: tuple[Erased, ...]
    messages: int
    files: dict[Path, int]
    backups: dict[str, date | None]
    has_copies: bool
    was_known: bool
    is_dry_run: bool

    @property
    def rows(self) -> int:
        return sum(erased.rows for erased in self.erased) + self.messages


class PersonNotFound(TidemarkError):
    """No relation has the person, and none had; the key may be mistyped."""

    def __init__(self, subject: Subject, command: str = "forget") -> None:
        super().__init__(
            f"{command} {subject.kind}",
            "no row of the warehouse has this key, and no person with it was erased",
            "Look the key up at the source: it is the value of its key column, without quotes.",
        )


def subject_of(text: str, places: Sequence[PersonPlace]) -> Subject:
    """The person that `--subject` names. Raises UsageError for an unknown kind."""
    kind, colon, key = text.partition(":")
    kinds = sorted({place.subject for place in places})
    if kind not in kinds:
        known = f"Known: {', '.join(kinds)}." if kinds else "No table declares `person`."
        raise UsageError(
            f"--subject {kind}", "no such kind of person", f"{did_you_mean(kind, kinds)}{known}"
        )
    if not colon or not key:
        raise UsageError(f"--subject {kind}", "the key is missing", f"Give it as {kind}:KEY.")
    return Subject(kind, key)


def forget(
    endpoints: Endpoints,
    settings: BackupSettings,
    subject: Subject,
    places: Sequence[PersonPlace],
    stream: Address | None,
    is_dry_run: bool,
) -> Forgotten:
    """Erase a person, or count what that would change; `stream` is the database of a consumer.

    Raises PersonNotFound, UsageError, StreamError and AnotherRun. The warehouse is unchanged then.
    """
    scope = f"{subject.kind}{' --dry-run' if is_dry_run else ''}"
    places = [place for place in places if place.subject == subject.kind]
    with work_on_warehouse(endpoints, "forget", role=OWNER, scope=scope) as work:
        with transaction(work.connection), work.connection.cursor() as cursor:
            erasure = Erasure(cursor, work.run_id)
            erasure.wait_for_builds(places)
            person = Subject(subject.kind, canonical_key(cursor, subject, places))
            was_known = is_registered(cursor, person.kind, person.key)
            erased = erasure.erase(places, {person.kind: [person.key]})
            messages = _erase_messages(stream, person, erasure.values.texts, is_dry_run)
            if not was_known and not messages and not any(one.rows for one in erased):
                raise PersonNotFound(subject)
            files: dict[Path, int] = {}
            if is_dry_run:
                work.connection.rollback()
            else:
                mirrored = [place.name for place in places if place.is_mirrored]
                _drop_landed(cursor, mirrored)
                register(cursor, person.kind, person.key, mirrored)
                # before the commit: afterwards nobody knows the values
                files = mask_values(erasure.values.texts)
            pause_point("erased")
        changed = messages + sum(one.rows for one in erased)
        work.step.rows = 0 if is_dry_run else changed
    found = () if was_known and not erased else tuple(one for one in erased if one.rows)
    backups = backup.kept_until(settings.directory, settings.retention)
    has_copies = bool(backups) and bool(settings.copy_command)
    return Forgotten(found, messages, files, backups, has_copies, was_known, is_dry_run)


def _erase_messages(
    stream: Address | None, person: Subject, values: Collection[str], is_dry_run: bool
) -> int:
    if stream is None or person.kind != SUBJECT:
        return 0
    return erase_messages(stream, person.key, values, is_dry_run)


def canonical_key(cursor: Cursor, subject: Subject, places: Sequence[PersonPlace]) -> str:
    """The key as the mirror writes it: `007` is 7. Raises UsageError if it cannot be one."""
    for place in places:
        if not place.is_mirrored or not relation_exists(cursor, place.relation):
            continue
        cursor.execute(
            "select format_type(atttypid, null) from pg_attribute"
            " where attrelid = to_regclass(%s) and attname = %s",
            (place.relation, place.column),
        )
        for (kind,) in cursor.fetchall():
            try:
                cursor.execute(f"select %s::{kind}::text", (subject.key,))
            except psycopg2.DataError:
                raise UsageError(
                    f"--subject {subject.kind}",
                    f"a key of type {kind} cannot be read from what follows the colon",
                    f"Give the value that {place.name} has in the column {place.column}.",
                ) from None
            return str(cursor.fetchall()[0][0])
    return subject.key


def _drop_landed(cursor: Cursor, tables: Sequence[str]) -> None:
    """Drop what killed runs have landed, but for unfinished bulk loads of other tables."""
    cursor.execute(
        "select format('%%I.%%I', nspname, relname) from pg_class"
        " inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where nspname ~ '^mrr_landing(_|$)' and relkind = 'r' and not exists ("
        "select from mrr_state.bulk_load"
        " where relname = 'bulk_' || bulk_load_id and table_name <> all (%s))",
        (list(tables),),
    )
    for (relation,) in cursor.fetchall():
        cursor.execute(f"drop table {relation}")
    remove_left_files(LANDING_FOLDER)
