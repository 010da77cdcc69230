"""What each role may do in each schema: 192 cells, as `docs/roles.md` has them, each one tried."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from common.roles import ROLES
from common.settings import PROJECT, Address
from tests.support.role_cells import (
    ACTIONS,
    SCHEMAS,
    SCRATCH,
    Relation,
    Routine,
    relations_of,
    routines_of,
    try_all,
)
from tests.support.roles import ask
from warehouse.connection import connect

PAGE = (PROJECT / "docs" / "roles.md").read_text(encoding="utf-8")
CELLS = [(role, schema, action) for role in ROLES for schema in SCHEMAS for action in ACTIONS]
MAKERS = {
    "mrr_landing": "loader",
    "mrr_state": "owner",
    "mrr_forgotten": "owner",
    "mrr": "loader",
    "stg": "transformer",
    "dwh": "transformer",
}
"""Who makes something in each schema."""
LATER = "made_later"
CONTROL = {
    *("high_water_mark", "run_log", "mirror_verification", "mirror_anomaly", "procedure_errors"),
    *("stored_routines", "alert_incident", "daily_step_total", "publication_verification"),
}
KEPT_FROM_LOADER = {
    *("applied_step", "mask_key", "relation_property", "role_account"),
    *("person_secret", "forgotten_person"),
}
ACTS_AS_OWNER = {"lock_changes", "analyze_changes", "drop_staging_views"}
WITHHELD = {
    *("dwh_dim_customers.customer_name", "dwh_history_customers.customer_name"),
    *("mirror_anomaly.row_key", "mirror_anomaly.source_value", "mirror_anomaly.stored_value"),
    *("procedure_errors.error_message", "procedure_errors.context"),
}
"""The columns of the domain sales and of the control tables that have the tag."""

WORDS: dict[str, Callable[[str], bool]] = {
    "all": lambda name: True,
    "yes": lambda name: True,
    "—": lambda name: False,
    "control": lambda name: name.partition(".")[0] in CONTROL,
    "state": lambda name: name not in KEPT_FROM_LOADER,
    "no secret": lambda name: name.partition(".")[0] != "person_secret",
    "models": lambda name: name not in CONTROL,
    "untagged": lambda name: name not in WITHHELD,
    "as caller": lambda name: name.partition("(")[0] not in ACTS_AS_OWNER,
}
"""What the words of the page mean, of the name of an object, or of a column of it."""


def table_of_the_page() -> dict[tuple[str, str, str], str]:
    """The cells by role, schema and action."""
    section = PAGE.partition("\n## What each may do\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \| (.+) \|$", section, re.MULTILINE)
    cells = {}
    for role, schema, rest in rows:
        texts = [text.strip() for text in rest.split(" | ")]
        assert len(texts) == len(ACTIONS), (role, schema)
        cells |= {(role, schema, action): text for action, text in zip(ACTIONS, texts, strict=True)}
    return cells


def is_allowed(cell: str, name: str) -> bool:
    """Whether the page allows it for an object; a cell has words, and names of objects."""
    named = re.split(r"[(.]", name)[0]
    return any(
        word.strip("`") == named if word.startswith("`") else WORDS[word](name)
        for word in cell.split(", ")
    )


Tried = dict[str, dict[tuple[str, str], dict[str, bool]]]


@pytest.fixture(scope="module")
def tried(owner: Address, roles: dict[str, Address]) -> Iterator[Tried]:
    """What each role may do with all that there is, and with what is made later."""
    accounts = {"owner": owner, **roles}
    ask(owner, f"create schema {SCRATCH}; grant usage, create on schema {SCRATCH} to public")
    # as a run of the loader does, which drops it at its end
    ask(roles["loader"], "create schema mrr_landing")
    for schema, maker in MAKERS.items():
        ask(accounts[maker], f"create table {schema}.{LATER} (id integer primary key, v text)")
        ask(
            accounts[maker],
            f"create function {schema}.{LATER}() returns integer language sql as 'select 1';"
            f" create function {schema}.{LATER}(text) returns integer language sql as 'select 1';"
            f" create view {schema}.{LATER}_view as select id from {schema}.{LATER};"
            f" create materialized view {schema}.{LATER}_stored as select 1 as id",
        )
    relations: dict[str, list[Relation]] = {}
    routines: dict[str, list[Routine]] = {}
    with closing(connect(owner)) as connection, connection.cursor() as cursor:
        for schema in SCHEMAS:
            relations[schema] = relations_of(cursor, schema)
            routines[schema] = routines_of(cursor, schema)
    yield {role: try_all(account, relations, routines) for role, account in roles.items()}
    for schema, maker in MAKERS.items():
        ask(
            accounts[maker],
            f"drop table {schema}.{LATER} cascade; drop materialized view {schema}.{LATER}_stored;"
            f" drop function {schema}.{LATER}(); drop function {schema}.{LATER}(text)",
        )
    ask(roles["loader"], "drop schema mrr_landing")


def test_page_has_every_cell_and_no_other() -> None:
    assert list(table_of_the_page()) == CELLS
    assert len(CELLS) == 192


@pytest.mark.parametrize(("role", "schema", "action"), CELLS, ids=lambda value: str(value))
def test_role_may_do_what_the_page_says(tried: Tried, role: str, schema: str, action: str) -> None:
    cell = table_of_the_page()[role, schema, action]
    outcomes = tried[role][schema, action]
    assert outcomes == {name: is_allowed(cell, name) for name in outcomes}
    # something that is made later is among them
    assert action == "create" or any(LATER in name for name in outcomes)


def test_routines_that_act_as_their_owner_are_those_of_the_page(owner: Address) -> None:
    acting = ask(
        owner,
        "select distinct proname::text from pg_proc where prosecdef"
        " and pronamespace::regnamespace::text in ('mrr_state', 'mrr', 'stg', 'dwh')",
    )
    assert {name for (name,) in acting} == ACTS_AS_OWNER


def test_public_has_no_privilege_of_its_own(owner: Address) -> None:
    schemas = "('mrr_state', 'mrr', 'stg', 'dwh')"
    granted = ask(
        owner,
        "select pg_class.oid::regclass::text from pg_class, aclexplode(relacl) as items"
        f" where relnamespace::regnamespace::text in {schemas} and items.grantee = 0"
        " union all select attrelid::regclass::text from pg_attribute"
        " inner join pg_class on attrelid = pg_class.oid, aclexplode(attacl) as items"
        f" where relnamespace::regnamespace::text in {schemas} and items.grantee = 0"
        " union all select nspname from pg_namespace, aclexplode(nspacl) as items"
        f" where nspname in {schemas} and items.grantee = 0",
    )
    assert granted == []


def test_cells_were_tried_on_everything_that_a_run_makes(tried: Tried) -> None:
    """A schema without objects would agree with any page."""
    selected = tried["backup"]
    counts = {schema: len(selected[schema, "select"]) for schema in SCHEMAS}
    assert counts["mrr"] > 10 and counts["stg"] > 30 and counts["dwh"] > 100
    assert counts["mrr_state"] > 30
    assert len(tried["transformer"]["mrr_state", "execute"]) > 20
    names = {name.partition(".")[0] for name in selected["dwh", "select"]}
    assert names >= CONTROL
