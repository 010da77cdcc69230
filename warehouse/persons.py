"""Persons who were erased: who they are, as keyed digests, and which keys a run leaves out.

The registry never goes to the source. What a run has read is compared with its digests here; the
source is only told the keys of persons whose rows it still has.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from common.quoting import quoted, text_literal
from common.rows import one_value
from warehouse.connection import relation_exists

MATCHES = (
    "encode(sha256(secret.outer_pad || sha256(secret.inner_pad ||"
    " convert_to({subject} || ':' || {key}, 'UTF8'))), 'hex')"
)
"""HMAC-SHA256 of the kind of person and the key."""
REGISTRY = ("person_secret", "forgotten_person")


@dataclass(frozen=True)
class PersonPlace:
    """A relation with rows of persons; `column` has the person's key.

    If it `erases_rows`, they are deleted with the person. Otherwise they are kept: the column gets
    the key of nobody, `member_key` that of the unknown member, and the columns of `personal`
    become NULL. If it `is_of_events`, its rows are change events, and `column` is one of their
    fields.
    """

    schema: str
    name: str
    subject: str
    column: str
    erases_rows: bool
    personal: tuple[str, ...] = ()
    member_key: str | None = None
    is_of_events: bool = False

    @property
    def is_mirrored(self) -> bool:
        """True if it is read from a source, which may send the person again."""
        return self.schema == "mrr" and not self.is_of_events

    @property
    def relation(self) -> str:
        """The relation's qualified name."""
        return quoted(self.schema, self.name)


def of_persons(place: PersonPlace, kind: str, keys: Sequence[str]) -> str:
    """The condition that a row is one of the persons; `kind` is the type of the place's column."""
    listed = ", ".join(text_literal(key) for key in keys)
    return f"{quoted(place.column)} = any (array[{listed}]::text[]::{kind}[])"


def register(cursor: Cursor, subject: str, key: str, tables: Iterable[str]) -> None:
    """Record that a person is erased, and that runs leave the person out of these tables."""
    digest = MATCHES.format(subject="%(subject)s", key="%(key)s")
    cursor.execute(
        "insert into mrr_state.forgotten_person (subject, secret_id, person_digest)"
        f" select %(subject)s, secret.secret_id, {digest} from mrr_state.person_secret as secret"
        " order by secret.created_at limit 1 on conflict do nothing",
        {"subject": subject, "key": key},
    )
    for table in tables:
        note_keys(cursor, table, [key])


def is_registered(cursor: Cursor, subject: str, key: str) -> bool:
    """True if the person was erased before."""
    return bool(erased_keys(cursor, subject, f"(select {text_literal(key)} as key) as one", "key"))


def is_anybody_erased(cursor: Cursor, subject: str) -> bool:
    """True if a person of this kind was erased."""
    cursor.execute(
        "select exists (select from mrr_state.forgotten_person where subject = %s)", (subject,)
    )
    return bool(one_value(cursor))


def erased_keys(cursor: Cursor, subject: str, relation: str, column: str) -> list[str]:
    """The keys in a column of a relation that are those of erased persons."""
    if not is_anybody_erased(cursor, subject):
        return []
    digest = MATCHES.format(subject="person.subject", key="held.key")
    cursor.execute(
        f"select distinct held.key from (select distinct {column}::text as key from {relation})"
        " as held cross join mrr_state.person_secret as secret"
        " inner join mrr_state.forgotten_person as person on secret.secret_id = person.secret_id"
        f" where held.key is not null and person.subject = {text_literal(subject)}"
        f" and person.person_digest = {digest} order by 1"
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
    """Leave these keys out when a table is read from now on, whatever has landed of it."""
    cursor.execute(
        "insert into mrr_forgotten.forgotten_key (table_name, person_key)"
        " select %s, unnest(%s) on conflict do nothing",
        (table, list(keys)),
    )
    cursor.execute("delete from mrr_state.bulk_load where table_name = %s", (table,))


def release_keys(cursor: Cursor, table: str, keys: Collection[str]) -> None:
    """Delete keys of which the source has no rows any more; the digests remain."""
    cursor.execute(
        "delete from mrr_forgotten.forgotten_key where table_name = %s and person_key = any(%s)",
        (table, list(keys)),
    )


def carry_over(cursor: Cursor, replaced: str) -> None:
    """Add the registry in the schema that a restore replaces to the restored one."""
    for table in REGISTRY:
        if relation_exists(cursor, quoted(replaced, table)):
            cursor.execute(
                f"insert into mrr_state.{table} select * from {quoted(replaced, table)}"
                " on conflict do nothing"
            )
