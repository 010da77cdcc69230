"""The erasure of a person: in one transaction, after the values in files are masked."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
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
from common.rows import one_value
from common.settings import Address
from common.streams import valid_text
from common.suggestion import did_you_mean
from extract.extraction import LANDING_FOLDER
from extract.landing.files import remove_left_files
from streaming.persons import FIELD, SUBJECT, erase_messages
from warehouse.connection import transaction
from warehouse.erasing import WAIT, Erased, Erasure
from warehouse.exports import EarlierExport, exports_of
from warehouse.landings import drop_landings
from warehouse.named_in_texts import NamedBy
from warehouse.named_in_texts import canonical as canonical_in_text
from warehouse.persons import PersonPlace, canonical, erased_at, register, type_of_key


@dataclass(frozen=True)
class Subject:
    """A person: the kind, and the key at the source, as it was given."""

    kind: str
    key: str


@dataclass(frozen=True)
class Forgotten:
    """What was erased; `messages` are those that a consumer of a stream has set aside.

    `erased_before` is when the person was erased, if that was done before. `in_another_case` are
    relations with keys that the source may take for the person's. `backups` are those that have the
    person, with the last day of each. The day is None for one that is kept as the newest verified.
    `unfinished` are folders of backups that were killed. `exports` are folders that were handed
    over before the person was erased. `key` is the person's, as the mirror writes it.
    """

    erased: tuple[Erased, ...]
    messages: int
    files: dict[Path, int]
    erased_before: datetime | None
    is_dry_run: bool
    key: str
    in_another_case: tuple[Erased, ...] = ()
    backups: dict[str, date | None] = field(default_factory=dict)
    unfinished: tuple[str, ...] = ()
    has_copies: bool = False
    exports: tuple[EarlierExport, ...] = ()

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


class RelationsInUse(TidemarkError):
    """Another session holds a lock on a relation that has the person."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(
            f"forget {subject.kind}",
            f"another session has held a lock on a relation that has the person for {WAIT}",
            "Nothing was erased. Repeat the command when the build or the transaction that"
            " pg_stat_activity shows has ended.",
        )


@contextmanager
def told_if_in_use(subject: Subject) -> Iterator[None]:
    """Raise RelationsInUse if the block waits too long for a lock."""
    try:
        yield
    except psycopg2.errors.LockNotAvailable:
        raise RelationsInUse(subject) from None


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
    if valid_text(key) != key:
        hint = "Give the key as the source shows it."
        raise UsageError(f"--subject {kind}", "the key is not text in UTF-8", hint)
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

    Raises PersonNotFound, UsageError, RelationsInUse, FilesNotMasked, StreamError and AnotherRun.
    The warehouse is unchanged then.
    """
    scope = f"{subject.kind}{' --dry-run' if is_dry_run else ''}"
    places = [place for place in places if place.subject == subject.kind]
    with work_on_warehouse(endpoints, "forget", role=OWNER, scope=scope) as work:
        if not is_dry_run:
            backup.clear_server(endpoints.warehouse)
        with (
            transaction(work.connection),
            work.connection.cursor() as cursor,
            told_if_in_use(subject),
        ):
            done = _erase(Erasure(cursor, work.run_id), subject, places, stream, is_dry_run)
            if is_dry_run:
                work.connection.rollback()
            pause_point("erased")
        work.step.rows = 0 if is_dry_run else done.rows
    # what was found now is in every backup that there is
    before = None if done.erased else done.erased_before
    backups = backup.kept_until(settings.directory, settings.retention, before)
    return replace(
        done,
        backups=backups,
        unfinished=tuple(backup.unfinished(settings.directory)),
        has_copies=bool(settings.copy_command) and bool(backups),
    )


def _erase(
    erasure: Erasure,
    subject: Subject,
    places: Sequence[PersonPlace],
    stream: Address | None,
    is_dry_run: bool,
) -> Forgotten:
    """Erase the person in the caller's transaction, and mask the values in files at its end."""
    cursor = erasure.cursor
    erasure.wait_for_builds(places)
    key = canonical_key(cursor, subject, places)
    erased_before = erased_at(cursor, subject.kind, key)
    erased = [one for one in erasure.erase(places, {subject.kind: [key]}) if one.rows]
    texts = erasure.values.texts
    if not is_dry_run:
        mirrored = [place.name for place in places if place.is_mirrored]
        register(cursor, subject.kind, key, mirrored, is_found=bool(erased))
        drop_landings(cursor)
    messages = _erase_messages(stream, Subject(subject.kind, key), texts, is_dry_run)
    if erased_before is None and not messages and not erased:
        raise PersonNotFound(subject)
    files: dict[Path, int] = {}
    if not is_dry_run:
        # before the commit: afterwards nobody knows the values
        remove_left_files(LANDING_FOLDER)
        files = mask_values(texts)
    before = None if erased else erased_before
    return Forgotten(
        *(tuple(erased), messages, files, erased_before, is_dry_run, key),
        in_another_case=tuple(erasure.in_another_case(places, key)),
        exports=tuple(exports_of(cursor, [place.full_name for place in places], before)),
    )


def _erase_messages(
    stream: Address | None, person: Subject, values: Collection[str], is_dry_run: bool
) -> int:
    if stream is None or person.kind != SUBJECT:
        return 0
    named_by, key = NamedBy(FIELD, has_decimals=False), canonical_in_text(person.key)
    return erase_messages(stream, lambda text: key in named_by.keys(text), values, is_dry_run)


def canonical_key(cursor: Cursor, subject: Subject, places: Sequence[PersonPlace]) -> str:
    """The key as keys are compared: `007` is 7. Raises UsageError if nobody can have it.

    That depends on the type which it has in the table of the persons themselves, if there is one.
    """
    for place in sorted(places, key=lambda place: not place.erases_rows):
        kind = type_of_key(cursor, place) if place.is_mirrored else None
        if kind is None:
            continue
        try:
            # `offset` keeps a text from being taken for a constant, and read as a number
            cursor.execute(
                f"select {canonical('given')} from (select %s::{kind} as given offset 0) as one",
                (subject.key,),
            )
        except psycopg2.DataError:
            raise UsageError(
                f"--subject {subject.kind}",
                f"a key of type {kind} cannot be read from what follows the colon",
                f"Give the value that {place.name} has in the column {place.column}.",
            ) from None
        return str(one_value(cursor))
    return subject.key
