"""Erased persons in what was read of the source: they are left out, and counted."""

from dataclasses import replace

from psycopg2.extensions import connection as Connection

from extract.errors import PersonReturned
from extract.landed import Landed
from extract.mirror.table import MirrorTable
from extract.mirror.verification import Verification
from extract.pair import TablePair
from warehouse.connection import transaction
from warehouse.persons import canonical, erased_keys, note_keys, release_keys


def check_returned(mirror: MirrorTable, landed: Landed) -> None:
    """Raise PersonReturned if there are rows of an erased person among those that were read."""
    person = mirror.table.declaration.person
    if person is None or not landed.rows:
        return
    link = mirror.table.column(person.column)
    key = canonical(landed.columns[mirror.table.columns.index(link)])
    keys = erased_keys(mirror.cursor, person.subject, landed.relation, key, link.is_case_blind)
    if keys:
        raise PersonReturned(mirror.name, tuple(keys))


def forget_again(connection: Connection, returned: PersonReturned) -> None:
    """Leave the persons out from now on, in a transaction of its own."""
    with transaction(connection), connection.cursor() as cursor:
        note_keys(cursor, returned.table, returned.keys)


def with_excluded(pair: TablePair, verification: Verification, releases: bool) -> Verification:
    """The verification with the number of rows that were left out.

    If it `releases` keys, those of which the source has no row any more are deleted.
    """
    person = pair.mirror.table.declaration.person
    if person is None:
        return verification
    held = pair.source.held_rows()
    if releases:
        release_keys(pair.mirror.cursor, pair.name, [key for key, rows in held.items() if not rows])
    return replace(verification, excluded_rows=sum(held.values()) if person.erases_rows else 0)
