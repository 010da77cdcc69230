"""What `scaffold` writes passes lint, the rules of the project and a run, whatever the names."""

from collections.abc import Callable

import pytest

from tests.support.cells import CELLS
from tests.support.command_line import CommandLine, check_models
from tests.support.servers import OperationalDatabase

NASTY = """The "name": of {{ env_var('HOME') }} {% if %} {# x #} {{{, it's - [a] #b,
and äöü 漢字"""
COLUMNS = [
    *("userID", "user_id", "2fa", "???", "größe", "漢字", "½", "with space", 'quo"te', "tick`s"),
    *(
        "semi;colon",
        "per%cent",
        "a:b",
        "it's",
        "back\\slash",
        "--",
        "/*",
        "}}",
        "{{ x }}",
        "{% raw",
    ),
    *("- a", "# b", "CTID", "Yes", "null", "~", "2024-01-01", "rejection_reason", "minus", "prior"),
    *("order", "user", "table", "collation", "name", "type", "date", "values", "interval"),
    *("a_column_whose_name_is_as_long_as_postgresql_allows_it_to_be_ab", "A" * 63),
    *("x" * 45, '"' * 32),
]
TABLES = {
    "Order": "id int primary key",
    "a\"b'c": '`k"ey` varchar(20) primary key, v int',
    "???": "id int primary key",
    "2024": "id int primary key, `straße` date, `m²` date, a$b date, `ταΐζω` date, `ταΐ` text",
    "lines": "`orderId` int, `Position` smallint, qty int, primary key (`orderId`, `Position`)",
    "keyless": "a int, b text",
    "blocking": "id int primary key) engine = MyISAM comment = ('x'",
    "wide": "id int primary key, " + ", ".join(f"column_{number} int" for number in range(300)),
    "generated": "id int primary key, twice int as (id * 2) virtual, thrice int as (id * 3) stored",
    **{
        name: ", ".join(f"column_{number} {kind}" for number, kind in enumerate(["int", *types]))
        for name, types in CELLS.items()
    },
}


@pytest.fixture
def shop(operational: OperationalDatabase) -> OperationalDatabase:
    """A database of names and types of every kind."""
    names = [name.replace("`", "``").replace("%", "%%") for name in COLUMNS]
    columns = ", ".join(
        f"`{name}` {'text' if number % 2 else 'int'} comment %s"
        for number, name in enumerate(names)
    )
    operational.execute(
        f"create table customers (id int primary key, {columns}) comment %s",
        (NASTY,) * (len(COLUMNS) + 1),
    )
    operational.execute("insert into customers (id, user_id, `userID`) values (1, ' 2 ', 3)")
    for name, definition in TABLES.items():
        operational.execute(f"create table `{name}` ({definition})".replace(" = ('x')", " = 'x'"))
    operational.execute("insert into `lines` values (7, 1, 5)")
    operational.execute("insert into `a\"b'c` values ('it''s', 1)")
    for name in ("sums", "totals"):
        operational.execute(f"create view {name} as select count(*) from customers")
    return operational


@pytest.mark.slow
def test_what_is_written_passes_lint_rules_and_a_run(
    shop: OperationalDatabase, command_line: CommandLine, query: Callable[..., list[tuple]]
) -> None:
    done = command_line.run("scaffold", shop.name, "--domain", "shop")
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("sums is not mirrored") < done.stdout.index("totals is not mirrored")
    assert done.stdout.count("join them in dbt to what a view would show") == 1
    assert done.stdout.endswith("Next: python run.py doctor --domain shop\n")
    check_models(command_line.folder, "stg/shop")

    ran = command_line.run()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert query("select customer_id, user_id, user_id_2 from stg.stg_dim_shop_customers") == [
        (1, "2", 3)
    ]
    assert query("select order_id, line_position from stg.stg_dim_shop_lines") == [(7, 1)]
    ((comment,),) = query("select obj_description('stg.stg_dim_shop_customers'::regclass)")
    assert comment == f"One row per row of customers at the source. {' '.join(NASTY.split())}"
    mirrored = query("select count(*) from pg_tables where tablename ~ '^mrr_(dim|fact)_shop_'")
    # `customers` too, but not the one whose engine is to be allowed first
    assert mirrored == [(len(TABLES),)]
    assert "shop" in command_line.dbt("ls", "--select", "group:shop").stdout

    again = command_line.run("scaffold", shop.name, "--domain", "shop")
    assert again.returncode == 2
    assert "domain shop: is declared already\nHINT: Nothing was written." in again.stderr
