"""Persons who were erased: who they are, as keyed digests, and which keys a run leaves out.

The registry never goes to the source. What a run has read is compared with its digests here; the
source is only told the keys of persons whose rows it still has.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from common.quoting import quoted, text_literal
from common.rows import one_value
from warehouse.connection import relation_exists
from warehouse.landings import drop_bulk_landings

DIGEST = (
    "encode(sha256(secret.outer_pad || sha256(secret.inner_pad ||"
    " convert_to({subject} || {form}, 'UTF8'))), 'hex')"
)
"""HMAC-SHA256 of the kind of person and a form of the key."""
EXACT, FOLDED = "':' || {key}", "'~' || lower({key})"
"""The key as it is, and without regard to case."""
REGISTRY = {
    "person_secret": "nothing",
    "forgotten_person": "update set forgotten_at ="
    " greatest(known.forgotten_at, excluded.forgotten_at)",
}
"""The tables, and what is done with a row that is there already."""
NUMBERS = ("smallint", "integer", "bigint", "numeric")


@dataclass(frozen=True)
class TextColumns:
    """The columns of rows that landed as they were found: their text, or the bytes of what is none.

    `key` identifies a row, and `logged` is the column by which the change log names it. If
    `has_decimals`, the models take 7.0 for the whole number 7. `known_by_text` is the condition on
    rows whose key is made of their text: what is erased from that could be guessed from the key.
    If there is one, a key may have the field of the person too.
    """

    text: str
    raw: str
    key: tuple[str, ...]
    logged: str
    has_decimals: bool
    known_by_text: str = "false"


EVENT_TEXTS = TextColumns(
    "event_text", "event_bytes", ("landing_id", "event_number"), "landing_id", has_decimals=False
)
DOCUMENT_TEXTS = TextColumns(
    *("document_text", "document_bytes", ("document_key",), "document_key"),
    has_decimals=True,
    known_by_text="coalesce(document_key, '') like '(%'",
)


@dataclass(frozen=True)
class PersonPlace:
    """A relation with rows of persons; `column` has the person's key.

    If it `erases_rows`, they are deleted with the person. Otherwise they are kept: the column gets
    the key of nobody, `member_key` that of the unknown member, and the columns of `personal`
    become NULL. If it has `texts`, its rows are change events or documents, and `column` is one of
    their fields.
    """

    schema: str
    name: str
    subject: str
    column: str
    erases_rows: bool
    personal: tuple[str, ...] = ()
    member_key: str | None = None
    texts: TextColumns | None = None

    @property
    def is_mirrored(self) -> bool:
        """True if it is read from a source, which may send the person again."""
        return self.schema == "mrr" and self.texts is None

    @property
    def full_name(self) -> str:
        """The relation's name with its schema, as people write it."""
        return f"{self.schema}.{self.name}"

    @property
    def relation(self) -> str:
        """The relation's qualified name."""
        return quoted(self.schema, self.name)


def type_of_key(cursor: Cursor, place: PersonPlace) -> str | None:
    """The type of the column with the person's key; None if there is no such column."""
    cursor.execute(
        "select format_type(atttypid, null) from pg_attribute"
        " where attrelid = to_regclass(%s) and attname = %s and not attisdropped",
        (place.relation, place.column),
    )
    found = cursor.fetchone()
    return str(found[0]) if found else None


def canonical(value: str) -> str:
    """The text of a key, for an expression: that of a number has no zeros that its type adds."""
    return (
        f"case when pg_typeof({value}) = 'numeric'::regtype"
        f" then trim_scale(({value})::text::numeric)::text else ({value})::text end"
    )


def nobody_of(kind: str) -> str:
    """The key of nobody, as SQL of both servers, in a column of this type of the warehouse."""
    return "-1" if kind.partition("(")[0] in NUMBERS else "null"


def of_persons(place: PersonPlace, keys: Sequence[str]) -> str:
    """The condition that a row is one of the persons."""
    listed = ", ".join(text_literal(key) for key in keys)
    return f"{canonical(quoted(place.column))} = any (array[{listed}]::text[])"


def register(
    cursor: Cursor, subject: str, key: str, tables: Iterable[str], is_found: bool = True
) -> None:
    """Record that a person is erased, and that runs leave the person out of these tables.

    If something `is_found` of a person who was erased before, the time is that of now.
    """
    cursor.execute(
        "insert into mrr_state.forgotten_person as known (subject, secret_id, person_digest)"
        " select %(subject)s, secret.secret_id, unnest(case when lower(%(key)s) = upper(%(key)s)"
        f" then array[{_digest(EXACT)}] else array[{_digest(EXACT)}, {_digest(FOLDED)}] end)"
        " from (select * from mrr_state.person_secret order by created_at limit 1) as secret"
        " on conflict (subject, secret_id, person_digest) do update"
        " set forgotten_at = excluded.forgotten_at where %(is_found)s",
        {"subject": subject, "key": key, "is_found": is_found},
    )
    for table in tables:
        note_keys(cursor, table, [key])


def erased_at(cursor: Cursor, subject: str, key: str) -> datetime | None:
    """When the person was erased; None if nobody with this key was."""
    cursor.execute(
        "select max(person.forgotten_at) from mrr_state.forgotten_person as person"
        " inner join mrr_state.person_secret as secret on person.secret_id = secret.secret_id"
        f" where person.subject = %(subject)s and person.person_digest = {_digest(EXACT)}",
        {"subject": subject, "key": key},
    )
    found: datetime | None = one_value(cursor)
    return found


def _digest(form: str, subject: str = "%(subject)s", key: str = "%(key)s") -> str:
    return DIGEST.format(subject=subject, form=form.format(key=key))


def is_anybody_erased(cursor: Cursor, subject: str) -> bool:
    """True if a person of this kind was erased."""
    cursor.execute(
        "select exists (select from mrr_state.forgotten_person where subject = %s)", (subject,)
    )
    return bool(one_value(cursor))


def erased_keys(
    cursor: Cursor, subject: str, relation: str, key: str, is_case_blind: bool = False
) -> list[str]:
    """The keys of a relation that are those of erased persons; `key` is their expression, a text.

    If it `is_case_blind`, the source takes keys that differ in case only for equal.
    """
    if not is_anybody_erased(cursor, subject):
        return []
    forms = (EXACT, FOLDED) if is_case_blind else (EXACT,)
    digests = ", ".join(_digest(form, "person.subject", "held.key") for form in forms)
    cursor.execute(
        f"select distinct held.key from (select distinct {key} as key from {relation})"
        " as held cross join mrr_state.person_secret as secret"
        " inner join mrr_state.forgotten_person as person on secret.secret_id = person.secret_id"
        f" where held.key is not null and person.subject = {text_literal(subject)}"
        f" and person.person_digest in ({digests}) order by 1"
    )
    return [key for (key,) in cursor.fetchall()]


def left_out_keys(cursor: Cursor, table: str) -> tuple[str, ...]:
    """The keys of the erased persons of whom the source may have rows in a table."""
    cursor.execute(
        "select person_key from mrr_forgotten.forgotten_key where table_name = %s order by 1",
        (table,),
    )
    return tuple(key for (key,) in cursor.fetchall())


def note_keys(cursor: Cursor, table: str, keys: Collection[str]) -> None:
    """Leave these keys out when a table is read from now on.

    What an unfinished bulk load has landed of it is dropped.
    """
    cursor.execute(
        "insert into mrr_forgotten.forgotten_key (table_name, person_key)"
        " select %s, unnest(%s) on conflict do nothing",
        (table, list(keys)),
    )
    cursor.execute(
        "delete from mrr_state.bulk_load where table_name = %s returning bulk_load_id", (table,)
    )
    drop_bulk_landings(cursor, [number for (number,) in cursor.fetchall()])


def release_keys(cursor: Cursor, table: str, keys: Collection[str]) -> None:
    """Delete keys of which the source has no rows any more; the digests remain."""
    cursor.execute(
        "delete from mrr_forgotten.forgotten_key where table_name = %s and person_key = any(%s)",
        (table, list(keys)),
    )


def carry_over(cursor: Cursor, replaced: str) -> None:
    """Add the registry in the schema that a restore replaces to the restored one."""
    for table, change in REGISTRY.items():
        if relation_exists(cursor, quoted(replaced, table)):
            cursor.execute(
                f"insert into mrr_state.{table} as known"
                f" select * from {quoted(replaced, table)}"
                f" on conflict on constraint {table}_pkey do {change}"
            )
