"""Persons who were erased after a backup stay erased when it is restored."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pyrage import x25519

from backup import restore
from common.backup_settings import BackupSettings
from common.settings import Address
from embedded import Servers
from tests.support.backups import Ask
from warehouse.connection import connect, transaction
from warehouse.erasing import Erasure
from warehouse.persons import PersonPlace, register

NAME = "Zenobia Quillfeather"
PLACES = (
    PersonPlace("mrr", "mrr_dim_buyers", "shop_buyer", "id", True, ("name",)),
    PersonPlace("mrr", "mrr_fact_sales", "shop_buyer", "customerId", False),
    PersonPlace("dwh", "dwh_fact_sales", "shop_buyer", "customer_id", False),
)
KEY = "3"
SHOP = f"""
create table mrr.mrr_dim_buyers (id numeric(8, 2) primary key, name text);
insert into mrr.mrr_dim_buyers values ({KEY}, '{NAME}'), (4, 'Ann');
insert into mrr_state.change_log (table_name, row_key, operation, run_id) values
    ('mrr_dim_buyers', '{{"id": {KEY}.00}}', 'delete', 'r'),
    ('mrr_dim_buyers', '{{"id": 4.00}}', 'update', 'r');
insert into mrr_state.key_range (table_name, up_to) values ('mrr_dim_buyers', array['{KEY}.00'])
"""
KEYS_IN_LOG = (
    "select row_key ->> 'id' from mrr_state.change_log"
    " where table_name = 'mrr_dim_buyers' and row_key ? 'id'"
)


def erase(warehouse: Address) -> None:
    with (
        closing(connect(warehouse)) as connection,
        transaction(connection),
        connection.cursor() as cursor,
    ):
        Erasure(cursor, "run-6").erase(PLACES, {"shop_buyer": [KEY]})
        register(cursor, "shop_buyer", KEY, ["mrr_dim_buyers", "mrr_fact_sales"])


@pytest.fixture
def bring_back_persons(warehouse: Address, directory: Path, servers: Servers) -> Callable[..., int]:
    """Restores the newest backup as the command does; how many rows were erased again."""

    def run(*layers: str, **settings: object) -> int:
        made = BackupSettings(directory, **settings)
        return restore(warehouse, made, None, layers or None, servers.programs, PLACES).rows_erased

    return run


ERASED_AT = "select max(forgotten_at) from mrr_state.forgotten_person"


def check_erased(ask: Ask) -> None:
    assert ask("select id::int, name from mrr.mrr_dim_buyers") == [(4, "Ann")]
    for column in ('"customerId" from mrr.mrr_fact_sales', "customer_id from dwh.dwh_fact_sales"):
        assert ask(f"select distinct {column} order by 1") == [(n,) for n in (-1, 0, 1, 2, 4, 5, 6)]
    assert ask(KEYS_IN_LOG) == [("4.00",)]
    assert ask("select count(*) from mrr_state.key_range") == [(0,)]


def test_person_is_erased_from_an_encrypted_backup(
    warehouse: Address, ask: Ask, save, bring_back_persons, tmp_path: Path
) -> None:
    ask(SHOP)
    identity = x25519.Identity.generate()
    key_file = tmp_path / "key.txt"
    key_file.write_text(f"{identity}\n")
    save(recipients=(str(identity.to_public()),))
    erase(warehouse)
    assert bring_back_persons(identity_file=key_file) > 100
    check_erased(ask)
    # once more, with the registry that the first restore has left
    assert bring_back_persons(identity_file=key_file) > 100
    check_erased(ask)


def test_person_who_was_deleted_before_is_erased_from_what_was_noted(
    warehouse: Address, ask: Ask, save, bring_back_persons
) -> None:
    """The source had deleted the row, and only the log of the mirror has its key."""
    ask(SHOP)
    ask(f"delete from mrr.mrr_dim_buyers where id = {KEY}")
    ask(f'update mrr.mrr_fact_sales set "customerId" = null where "customerId" = {KEY}')
    save()
    erase(warehouse)
    bring_back_persons("mrr")
    assert ask(KEYS_IN_LOG) == [("4.00",)]
    assert ask("select count(*) from mrr_state.key_range") == [(0,)]


def test_what_has_landed_of_a_bulk_load_is_dropped_with_the_restored_mirror(
    warehouse: Address, ask: Ask, save, bring_back_persons
) -> None:
    """The load that the backup knows is not the one that has landed by now."""
    ask(
        "insert into mrr_state.bulk_load (table_name, source_identity, read_at)"
        " values ('mrr_dim_buyers', 'x', now())"
    )
    save()
    ((number,),) = ask("select bulk_load_id from mrr_state.bulk_load")
    ask("create schema mrr_landing")
    ask(f"create table mrr_landing.bulk_{number} as select '{NAME}' as c1")
    bring_back_persons("mrr")
    assert ask("select tablename from pg_tables where schemaname = 'mrr_landing'") == []
    assert ask("select * from mrr_state.bulk_load") == []


def test_registry_has_the_later_of_two_erasures_of_a_person(
    warehouse: Address, ask: Ask, save, bring_back_persons
) -> None:
    """So that a repetition lists every backup from before the later one."""
    ask(SHOP)
    erase(warehouse)
    save()
    erase(warehouse)
    before = ask(ERASED_AT)
    bring_back_persons()
    assert ask(ERASED_AT) == before
