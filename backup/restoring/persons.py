"""Persons who were erased stay erased in what a restore brings back."""

from collections.abc import Collection, Mapping

from psycopg2.extensions import cursor as Cursor

from warehouse.connection import relation_exists
from warehouse.erasing import Erasure
from warehouse.landings import drop_landings
from warehouse.persons import PersonPlace, carry_over, note_keys
from warehouse.upgrade import apply_registry_of_persons


def erase_again(
    cursor: Cursor,
    layers: Collection[str],
    replaced: Mapping[str, str],
    places: Collection[PersonPlace],
    run_id: str,
) -> int:
    """Erase the persons from the restored layers, in the transaction that puts them in their place.

    Returns how many rows were changed. The registry is that of the backup and the present one,
    which is in the `replaced` schemas: who was erased after the backup is erased from it too.
    """
    if "mrr" in layers:
        apply_registry_of_persons(cursor)
        if "mrr_state" in replaced:
            carry_over(cursor, replaced["mrr_state"])
        if relation_exists(cursor, "mrr_state.bulk_load"):
            # what has landed is not that of the loads which the backup knows, and may have persons
            cursor.execute("delete from mrr_state.bulk_load")
            drop_landings(cursor)
    if not relation_exists(cursor, "mrr_state.forgotten_person"):
        return 0
    erasure = Erasure(cursor, run_id)
    keys = erasure.keys_of_erased(places)
    erased = erasure.erase(list(places), keys)
    for place in places:
        if place.is_mirrored and keys.get(place.subject):
            note_keys(cursor, place.name, keys[place.subject])
    return sum(one.rows for one in erased)
