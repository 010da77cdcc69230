"""Erases a person from the tables that were published to ClickHouse."""

from collections.abc import Iterable, Sequence
from contextlib import closing

from commands.clickhouse import label_of, open_target
from commands.endpoints import Endpoints
from commands.publish import active_publications, publish_tables
from commands.working import work_on_warehouse
from common.settings import Settings
from extract.declarations import declared_tables
from extract.declarations.person_places import places_of_persons
from publishing.declared import Published
from publishing.dropping import not_declared
from publishing.erasing import count_rows, erase_rows
from publishing.publisher import Report, Wish
from publishing.settings import PublishSettings
from publishing.state import other_targets, read_states
from warehouse.connection import connect
from warehouse.persons import PersonPlace


def erase_published(
    settings: Settings,
    publishing: PublishSettings,
    endpoints: Endpoints,
    places: Sequence[PersonPlace],
    key: str,
    is_dry_run: bool,
) -> dict[str, int]:
    """Erase the person from each published table, in every version, and publish these tables.

    Those that are not declared any more are not published. Returns how many rows each had. Raises
    ServerError, ClickHouseError and TableError: then the command is to be given again.
    """
    declared = active_publications(settings)
    with closing(connect(endpoints.loader)) as connection:
        known = read_states(connection, label_of(publishing))
    columns = columns_of_person(declared, known, places)
    if not columns or not any(state.is_loaded for state in known.values()):
        return {}
    found: dict[str, int] = {}
    with open_target(publishing) as target:
        for table, column in columns.items():
            what = (target.client, target.place, table, column, key)
            found[table] = count_rows(*what) if is_dry_run else erase_rows(*what)
    if not is_dry_run:
        tables = [one for one in declared if one.name in columns]
        with work_on_warehouse(endpoints, "publish", (), scope="forget") as work:
            wish = Wish(must_compare=True, only_known=True)
            for outcome in publish_tables(work, endpoints, publishing, tables, wish, Report()):
                if outcome.error:
                    raise outcome.error
    return {name: rows for name, rows in found.items() if rows}


def columns_of_person(
    declared: Iterable[Published], known: Iterable[str], places: Iterable[PersonPlace]
) -> dict[str, str]:
    """The published tables that have the person, by name, and their columns with the key.

    `known` are the names of those that were published, declared or not. A table that is made of
    events has the persons of their states.
    """
    columns = {place.name: place.column for place in places if place.texts is None}
    names = dict.fromkeys(known) | {one.name: None for one in declared}
    of_events = {one.name: one.events.states for one in declared if one.events}
    places_of = {name: of_events.get(name, name) for name in names}
    return {name: columns[place] for name, place in places_of.items() if place in columns}


def may_have_person(
    settings: Settings, publishing: PublishSettings, endpoints: Endpoints
) -> list[str]:
    """Tables in ClickHouse of which no declaration says whose rows they have."""
    names = {one.name for one in active_publications(settings)}
    names |= {place.name for place in places_of_persons(declared_tables())}
    with closing(connect(endpoints.loader)) as connection:
        return not_declared(connection, label_of(publishing), names)


def elsewhere(endpoints: Endpoints, publishing: PublishSettings) -> list[str]:
    """Other servers to which tables were published, which may have the person."""
    with closing(connect(endpoints.loader)) as connection:
        return other_targets(connection, label_of(publishing))
