"""Erases a person from the tables that were published to ClickHouse."""

from collections.abc import Iterable, Sequence
from contextlib import closing

from commands.clickhouse import label_of, open_target
from commands.endpoints import Endpoints
from commands.publish import active_publications, publish_tables
from commands.working import work_on_warehouse
from common.settings import Settings
from publishing.declared import Published
from publishing.erasing import count_rows, erase_rows
from publishing.publisher import Report, Wish
from publishing.settings import PublishSettings
from publishing.state import is_anything_published, other_targets
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

    Returns how many rows each had. Raises ServerError, ClickHouseError and TableError: then the
    command is to be given again.
    """
    declared = active_publications(settings)
    columns = columns_of_person(declared, places)
    tables = [one for one in declared if one.name in columns]
    with closing(connect(endpoints.loader)) as connection:
        is_published = is_anything_published(connection, label_of(publishing))
    if not tables or not is_published:
        return {}
    found: dict[str, int] = {}
    with open_target(publishing) as target:
        for table in tables:
            what = (target.client, target.place, table.name, columns[table.name], key)
            found[table.name] = count_rows(*what) if is_dry_run else erase_rows(*what)
    if not is_dry_run:
        with work_on_warehouse(endpoints, "publish", (), scope="forget") as work:
            wish = Wish(must_compare=True, only_known=True)
            for outcome in publish_tables(work, endpoints, publishing, tables, wish, Report()):
                if outcome.error:
                    raise outcome.error
    return {name: rows for name, rows in found.items() if rows}


def columns_of_person(tables: Iterable[Published], places: Iterable[PersonPlace]) -> dict[str, str]:
    """The published tables that have the person, by name, and their columns with the key.

    A table that is made of events has the persons of their states.
    """
    columns = {place.name: place.column for place in places if place.texts is None}
    names = {one.name: one.events.states if one.events else one.name for one in tables}
    return {table: columns[name] for table, name in names.items() if name in columns}


def elsewhere(endpoints: Endpoints, publishing: PublishSettings) -> list[str]:
    """Other servers to which tables were published, which may have the person."""
    with closing(connect(endpoints.loader)) as connection:
        return other_targets(connection, label_of(publishing))
