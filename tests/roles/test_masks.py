"""What an analyst sees of persons, of every domain of the demo, in everything that he may read."""

from collections.abc import Iterator

import psycopg2
import pytest

from common.settings import Address
from dashboard.pbip.__main__ import parsed_manifest
from embedded import Servers
from operational.connection import connection as operational_connection
from operational.seed import seed
from operational.simulate import simulate
from privacy.personal_data import Relation, read_personal_data
from tests.support.command_line import DEMO, CommandLine, copy_of_project
from tests.support.leaks import leaked
from tests.support.roles import as_roles, ask, roles_in
from tests.support.servers import new_warehouse

DOMAINS = ("ecommerce", "ewallet", "sales")
ALL = pytest.param("demo", marks=pytest.mark.slow)


@pytest.fixture(scope="module", params=["sales", ALL])
def domains(request: pytest.FixtureRequest) -> str:
    """CI looks at one domain here, and at the others where it builds them, in their own tests."""
    return str(request.param)


@pytest.fixture(scope="module")
def accounts(domains: str, request: pytest.FixtureRequest) -> dict[str, Address]:
    """The owner and the roles of a warehouse with these domains."""
    if domains == "demo":
        demo: dict[str, Address] = request.getfixturevalue("demo_warehouse")
        return demo
    return {**request.getfixturevalue("roles"), "owner": request.getfixturevalue("owner")}


@pytest.fixture(scope="module")
def demo_warehouse(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Address]]:
    """The accounts of a warehouse with all persons of the demo, some of whom have changed."""
    with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
        for domain in DOMAINS:
            cursor.execute(f"drop database if exists {domain}")
        seed(servers, DOMAINS)
        for domain in DOMAINS:
            simulate(servers, 200, 7, domain)
        with new_warehouse(servers) as address:
            folder = copy_of_project(tmp_path_factory.mktemp("masks") / "project")
            made = as_roles(
                CommandLine(folder, servers.operational, address), roles_in(servers, address)
            )
            made.environment["DEMO_DOMAINS"] = ",".join(DOMAINS)
            done = made.run()
            assert done.returncode == 0, done.stdout + done.stderr
            yield {**roles_in(servers, address), "owner": address}
        for domain in DOMAINS:
            cursor.execute(f"drop database {domain}")
        seed(servers, [DEMO])


@pytest.fixture(scope="module")
def personal(domains: str) -> list[Relation]:
    """The relations of these domains that have personal columns."""
    manifest = parsed_manifest(domains if domains == DEMO else ",".join(DOMAINS))
    return [one for one in read_personal_data(manifest) if not one.is_control]


@pytest.fixture(scope="module")
def analyst(accounts: dict[str, Address]) -> Address:
    return accounts["analyst"]


def test_analyst_reads_no_personal_value_under_any_name(
    accounts: dict[str, Address], personal: list[Relation]
) -> None:
    """Whatever the tags say: a copy without a tag is found by its values."""
    assert leaked(accounts, personal) == set()


def test_copy_without_a_tag_is_found(
    accounts: dict[str, Address], personal: list[Relation]
) -> None:
    """A model that selects a personal column under another name, in a longer text."""
    ask(
        accounts["transformer"],
        "create table dwh.copied as select 'Dear ' || name as greeting from mrr.mrr_dim_customers",
    )
    try:
        found = leaked(accounts, personal)
    finally:
        ask(accounts["transformer"], "drop table dwh.copied")
    assert found and all(one.startswith("copied.greeting: ") for one in found)


def test_analyst_reads_all_of_each_masked_view(
    accounts: dict[str, Address], analyst: Address, personal: list[Relation]
) -> None:
    checked = 0
    for relation in personal:
        if relation.layer != "dwh":
            continue
        view = f"dwh.{relation.name.replace('dwh_', 'dwh_masked_', 1)}"
        assert ask(analyst, f"select count(*) from (select * from {view}) as rows") == ask(
            accounts["owner"], f"select count(*) from dwh.{relation.name}"
        )
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(analyst, f"select * from dwh.{relation.name}")
        checked += 1
    assert checked == len([one for one in personal if one.layer == "dwh"]) > 1


@pytest.mark.slow
def test_each_mask_shows_what_it_says(demo_warehouse: dict[str, Address]) -> None:
    base = ask(
        demo_warehouse["owner"],
        "select customer_key, postal_code, email from dwh.dwh_dim_ecommerce_customers",
    )
    shown = {
        key: rest
        for key, *rest in ask(
            demo_warehouse["analyst"],
            "select customer_key, age, postal_code, email, first_name, last_name"
            " from dwh.dwh_masked_dim_ecommerce_customers",
        )
    }
    assert len(base) > 10
    for key, postal_code, email in base:
        shown_age, beginning, digest, *names = shown[key]
        assert [shown_age, *names] == [None, None, None]
        if postal_code is None:
            assert beginning is None
        else:
            kept = postal_code[:2] if len(postal_code) >= 4 else ""
            assert beginning == f"{kept}…"
        assert (digest is None) is (email is None)
        assert email is None or (len(digest) == 64 and email not in digest)


@pytest.mark.slow
def test_equal_values_have_equal_hashes_in_all_views(demo_warehouse: dict[str, Address]) -> None:
    same = (
        "select count(*) from dwh.dwh_{0}dim_ecommerce_customers as dim"
        " inner join dwh.dwh_{0}history_ecommerce_customers as history on dim.email = history.email"
    )
    (joined,) = ask(demo_warehouse["analyst"], same.format("masked_"))
    assert [joined] == ask(demo_warehouse["owner"], same.format(""))
    assert joined[0] > 10


@pytest.mark.parametrize(
    "sql",
    [
        "select * from mrr_state.mask_key",
        "select inner_key from mrr_state.mask_key",
        "select dwh.mask_hash('x')",
        "create view dwh.mine as select 1",
    ],
)
def test_analyst_can_neither_read_the_key_nor_hash_a_value(analyst: Address, sql: str) -> None:
    with pytest.raises((psycopg2.errors.InsufficientPrivilege, psycopg2.errors.UndefinedFunction)):
        ask(analyst, sql)


def test_no_routine_of_the_warehouse_reads_the_key(accounts: dict[str, Address]) -> None:
    """It would hash what an analyst gives it."""
    assert (
        ask(
            accounts["owner"],
            "select oid::regprocedure::text from pg_proc"
            " where strpos(prosrc, 'mask_key') > 0 and pronamespace <> 'pg_catalog'::regnamespace",
        )
        == []
    )
    assert ask(accounts["owner"], "select count(*) from mrr_state.mask_key") == [(1,)]


@pytest.mark.slow
def test_function_of_an_analyst_sees_what_he_sees(
    demo_warehouse: dict[str, Address],
) -> None:
    """A condition of his own is not evaluated on what lies under the view."""
    leaked = (
        "create function pg_temp.peek(text) returns boolean language plpgsql cost 0.0001 as"
        " 'begin if $1 like ''%@%'' then raise exception ''seen''; end if; return true; end'"
    )
    seen = "select count(*) from dwh.dwh_masked_dim_ecommerce_customers where pg_temp.peek(email)"
    assert ask(demo_warehouse["analyst"], f"{leaked}; {seen}")[0][0] > 10
