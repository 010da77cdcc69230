"""Whether an analyst reads a personal value, whatever the tags say: everything is compared."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from common.quoting import quoted
from common.settings import Address
from dashboard.pbip.__main__ import parsed_manifest
from embedded import Servers
from privacy.personal_data import Relation, read_personal_data
from tests.support.command_line import CommandLine
from tests.support.roles import as_roles, ask, roles_in

JUDGED_LENGTH = 6
"""Shorter values, such as ages and the beginnings of postal codes, appear anywhere by chance."""
READABLE = """
    select pg_class.relname::text, array_agg(pg_attribute.attname::text)
    from pg_class
    inner join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
    where
        relnamespace::regnamespace::text in ('mrr_landing', 'mrr_state', 'mrr', 'stg', 'dwh')
        and relkind in ('r', 'p', 'v', 'm')
        and has_schema_privilege(relnamespace, 'usage')
        and has_column_privilege(pg_class.oid, attnum, 'select')
    group by 1
"""
UNKNOWN = ("unknown", "unknown customer", "unknown user", "unknown city", "customer")
"""Values of the members that stand for whoever is not known."""


def values_of(owner: Address, relation: Relation) -> Iterator[tuple[str, Any]]:
    """The values of the personal columns, each with its column."""
    for column in relation.columns:
        sql = f"select distinct {quoted(column.name)} from {quoted(relation.layer, relation.name)}"
        for (value,) in ask(owner, f"{sql} where {quoted(column.name)} is not null"):
            yield f"{relation.name}.{column.name}", value


def read_by(account: Address) -> dict[str, set[str]]:
    """Every value that an account may read, as text, by its column."""
    found = {}
    for name, columns in ask(account, READABLE):
        listed = ", ".join(f"array_agg(distinct {quoted(column)}::text)" for column in columns)
        (rows,) = ask(account, f"select {listed} from dwh.{quoted(name)}")
        for column, values in zip(columns, rows, strict=True):
            found[f"{name}.{column}"] = {value for value in values or () if value is not None}
    return found


def leaked(accounts: Mapping[str, Address], personal: Sequence[Relation]) -> set[str]:
    """The columns that an analyst may read and that have a personal value, with its own column."""
    values = {
        str(value): column
        for relation in personal
        for column, value in values_of(accounts["owner"], relation)
        if isinstance(value, str) and len(value) >= JUDGED_LENGTH and value not in UNKNOWN
    }
    assert len(values) > 5
    # names of companies and products have first and last names in them
    phrases = [value for value in values if not value.isalpha()]
    read = read_by(accounts["analyst"])
    assert len(read) > 80
    found = set()
    for place, texts in read.items():
        everything = "\n".join(texts)
        seen = (values.keys() & texts) | {value for value in phrases if value in everything}
        found |= {f"{place}: {values[value]}" for value in seen}
    return found


def check_analyst(made: CommandLine, servers: Servers, domain: str) -> None:
    """Grant what the roles need in a warehouse of one account, and read all that an analyst may."""
    owner = made.addresses[1]
    accounts = roles_in(servers, owner)
    as_roles(made, accounts)
    done = made.run("roles")
    assert done.returncode == 0, done.stdout + done.stderr
    found = read_personal_data(parsed_manifest(domain))
    personal = [one for one in found if one.domain == domain]
    assert len(personal) > 3
    assert leaked({**accounts, "owner": owner}, personal) == set()
