"""What is proposed for each table of a schema, and that all is written or nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from commands.scaffold.names import snake_case
from commands.scaffold.proposals import Domain
from commands.scaffold.work import Scaffold, named_domain, scaffold
from common.errors import ServerError, SettingError, UsageError
from extract.declarations import MirroredTable, declared_tables
from extract.limits import Limits
from extract.mysql.source import MySQLSource
from extract.table import TableDescription
from privacy.personal_data import read_kinds
from tests.support.servers import OperationalDatabase

Scaffolded = Callable[..., Scaffold]


def declared(project: Path) -> dict[str, MirroredTable]:
    """What a run reads of it, by the name at the source."""
    return {one.table: one for one in declared_tables(project) if one.domain == "shop"}


def sources_text(project: Path) -> str:
    return (project / "models/mrr/shop/_mrr_shop__sources.yml").read_text("utf-8")


def comments(project: Path) -> str:
    """The comments of the sources, each on one line."""
    lines = [line.strip() for line in sources_text(project).splitlines()]
    return " ".join(line.removeprefix("# ") if line.startswith("#") else "\n" for line in lines)


def described(project: Path) -> dict[str, dict]:
    """The models of `stg` as their YAML has them."""
    text = (project / "models/stg/shop/_stg_shop__models.yml").read_text("utf-8")
    return {model["name"]: model for model in yaml.safe_load(text)["models"]}


def model(project: Path, name: str) -> str:
    return (project / f"models/stg/shop/{name}.sql").read_text("utf-8")


CUSTOMERS = (
    "create table customers (id int unsigned auto_increment primary key, name varchar(50),"
    " `isActive` tinyint(1), `creditLimit` decimal(10,2) comment 'What he may owe.',"
    " visits int, created_at datetime, updated_at timestamp default current_timestamp"
    " on update current_timestamp) comment 'Who buys.'"
)


def test_table_becomes_a_declaration_and_a_model(scaffolded: Scaffolded, project: Path) -> None:
    scaffolded(CUSTOMERS)
    table = declared(project)["customers"]
    assert table.name == "mrr_dim_shop_customers"
    assert (table.key, table.cursor) == (("id",), "updated_at")
    assert (
        model(project, "stg_dim_shop_customers")
        == """\
select
    -- keys
    id as customer_id,

    -- attributes
    nullif(regexp_replace(name, '^\\s+|\\s+$', '', 'g'), '') as customer_name,

    -- measures
    "creditLimit" as credit_limit,
    visits::bigint as visits,

    -- flags
    "isActive"::bigint as is_active,

    -- timestamps
    created_at,
    updated_at
from {{ source('shop', 'mrr_dim_shop_customers') }}
"""
    )


def test_model_has_a_contract_with_descriptions_of_the_source(
    scaffolded: Scaffolded, project: Path
) -> None:
    scaffolded(CUSTOMERS)
    staged = described(project)["stg_dim_shop_customers"]
    assert staged["description"] == "One row per row of customers at the source. Who buys."
    assert staged["config"] == {
        "group": "shop",
        "meta": {"changes": [{"table": "mrr_dim_shop_customers", "key": ["customer_id"]}]},
    }
    columns = {column["name"]: column for column in staged["columns"]}
    assert columns["customer_id"]["data_tests"] == ["not_null", "unique"]
    described_at_source = "What he may owe (at the source creditLimit, decimal(10,2))."
    assert columns["credit_limit"]["description"] == described_at_source
    types = [column["data_type"] for column in columns.values()]
    assert types == ["bigint", "text", "numeric(10,2)", *["bigint"] * 2, "timestamp", "timestamptz"]


KEYS = {
    "create table t (id int primary key, no int not null unique)": ("id",),
    "create table t (a int, b int, primary key (b, a))": ("b", "a"),
    "create table t (a int not null, b int not null, c int not null, unique (b, c), unique (a))": (
        "a",
    ),
    "create table t (id float primary key, no int not null unique)": ("no",),
    "create table t (a int unique, b varchar(9) not null, unique (b(5)))": (),
    "create table t (`{{ id }}` int primary key, no int not null unique)": ("no",),
}


@pytest.mark.parametrize("statement", KEYS)
def test_key_is_the_primary_one_or_a_unique_one(
    scaffolded: Scaffolded, project: Path, statement: str
) -> None:
    scaffolded(statement)
    assert declared(project)["t"].key == KEYS[statement]
    assert ("No unique key has only NOT NULL columns." in comments(project)) == (
        not KEYS[statement]
    )


def test_column_that_looks_personal_is_tagged_in_both_layers(
    scaffolded: Scaffolded, project: Path
) -> None:
    scaffolded(
        "create table people (id int primary key, `firstName` varchar(50), `e_mail` varchar(50),"
        " `homePhone` varchar(50), zip_code varchar(9), age int, remarks text, iban varchar(40),"
        " weight int)"
    )
    wanted = {
        "first_name": "name",
        "e_mail": "email",
        "home_phone": "phone",
        "zip_code": "postal_code",
        "age": "age",
        "remarks": "free_text",
        "iban": "address",
    }
    (table,) = yaml.safe_load(sources_text(project))["sources"][0]["tables"]
    (staged,) = described(project).values()
    for columns in (table["columns"], staged["columns"]):
        found = {snake_case(one["name"]): one["config"] for one in columns if "config" in one}
        assert found == {
            name: {"tags": ["personal"], "meta": {"personal": kind}}
            for name, kind in wanted.items()
        }
    assert set(wanted.values()) <= set(read_kinds())


def test_key_of_several_columns_is_tested_as_one(scaffolded: Scaffolded, project: Path) -> None:
    scaffolded("create table t (orderId int, lineNo int, n int, primary key (orderId, lineNo))")
    staged = described(project)["stg_dim_shop_t"]
    assert staged["data_tests"] == [
        {"unique_combination_of_columns": {"arguments": {"columns": ["order_id", "line_no"]}}}
    ]
    tested = [column["name"] for column in staged["columns"] if "data_tests" in column]
    assert tested == ["order_id", "line_no"]


CURSORS = {
    "u timestamp null on update current_timestamp": ("u", ""),
    "u datetime(6) on update current_timestamp(6), v timestamp null": ("u", ""),
    "changed_at datetime, d date": (None, 'If the application writes "changed_at" with every'),
    "modified int": (None, "The comparison finds what changed."),
}


@pytest.mark.parametrize("columns", CURSORS)
def test_cursor_is_a_column_that_the_server_maintains(
    scaffolded: Scaffolded, project: Path, columns: str
) -> None:
    scaffolded(f"create table t (id int primary key, {columns})")
    cursor, comment = CURSORS[columns]
    assert declared(project)["t"].cursor == cursor
    assert comment in comments(project)
    assert ("No cursor: " in comments(project)) == (cursor is None)


def test_fact_refers_to_others_and_is_the_last_or_has_a_date(
    scaffolded: Scaffolded, project: Path
) -> None:
    scaffolded(
        "create table people (id int primary key, boss int, hired_on date, seen_at datetime,"
        " foreign key (boss) references people (id))",
        "create table goods (id int primary key, maker int, updated_at datetime,"
        " foreign key (maker) references people (id))",
        "create table orders (id int primary key, person int, ordered_at datetime,"
        " foreign key (person) references people (id))",
        # names of events in which those of a row are hidden, and names of a row as Java writes them
        "create table visits (id int primary key, person int, starts_at datetime,"
        " foreign key (person) references people (id))",
        "create table stays (visit int primary key, lastUpdate datetime, startDate date,"
        " foreign key (visit) references visits (id))",
        "create table bills (id int primary key, stay int, legend_model_date date,"
        " foreign key (stay) references stays (visit))",
        "create table payments (bill int primary key, foreign key (bill) references bills (id))",
        "create table items (place int, goods int, orders int, primary key (orders, place),"
        " foreign key (goods) references goods (id), foreign key (orders) references orders (id))",
    )
    names = {table.name.removeprefix("mrr_") for table in declared(project).values()}
    dimensions = {name for name in names if name.startswith("dim_")}
    assert dimensions == {"dim_shop_people", "dim_shop_goods", "dim_shop_stays"}
    assert len(names) == 8
    assert 'Taken for a fact: it refers to "goods", "orders".' in comments(project)
    told = 'Taken for a dimension: it refers to "people", it is referred to by "items".'
    assert told in comments(project)
    assert 'by "items", and it has a date of its own, "ordered_at".' in comments(project)
    columns = described(project)["stg_fact_shop_orders"]["columns"]
    assert [column["data_type"] for column in columns] == ["bigint", "bigint", "timestamp"]
    assert "refers to people" in columns[1]["description"]


def test_what_a_run_would_refuse_is_written_and_switched_off(
    scaffolded: Scaffolded, project: Path, operational: OperationalDatabase
) -> None:
    done = scaffolded(
        "create table logs (id int primary key) engine = MyISAM",
        "create table many (n int) engine = MyISAM",
        "insert into many select seq from seq_1_to_100001",
        "create table good (id int primary key)",
    )
    assert list(declared(project)) == ["good"]
    off = {one.declaration.table: str(one.refusal) for one in done.proposals if one.refusal}
    assert set(off) == {"logs", "many"}
    assert "A run would refuse it: test_" in comments(project).replace(operational.name, "test_")
    assert described(project)["stg_dim_shop_logs"]["config"]["enabled"] is False
    file = project / "models/mrr/shop/_mrr_shop__sources.yml"
    text = file.read_text("utf-8").replace("enabled: false", "enabled: true")
    file.write_text(text.replace("# allow_engine", "allow_engine"), "utf-8")
    assert declared(project)["logs"].allow_engine == "MyISAM"
    assert declared(project)["many"].key == ()


NOT_MIRRORED = {
    "create view x as select 1 as id": "is a view",
    "create table x (id int primary key, xmin int)": 'column "xmin" has a name that PostgreSQL',
    f"create table x (id int primary key, `{'ä' * 32}` int)": "a name of more than 63 bytes",
    "create table `{{ x }}` (id int primary key)": "has a name that cannot be declared",
    "create table `x\ty` (id int primary key)": "has a name that cannot be declared",
    f"create table x (id int primary key, `\x01{'y' * 63}` int)": "a name of more than 63 bytes",
}


@pytest.mark.parametrize("statement", NOT_MIRRORED)
def test_what_cannot_be_mirrored_is_a_comment_with_the_reason(
    scaffolded: Scaffolded, project: Path, statement: str
) -> None:
    done = scaffolded("create table good (id int primary key)", statement)
    assert list(declared(project)) == ["good"]
    (refused,) = done.refused
    assert NOT_MIRRORED[statement] in refused.problem
    told = f"is not mirrored: {refused.problem}. {refused.hint}"
    assert told.replace("\x01", " ") in comments(project)


def test_name_that_a_terminal_would_obey_is_shown_in_letters(
    source: MySQLSource, operational: OperationalDatabase, project: Path
) -> None:
    operational.execute("create table `\x1b[2J` (id int primary key)")
    with pytest.raises(UsageError) as raised:
        scaffold(source, Domain("shop", operational.name, ""), (), project)
    assert "\\x1b[2J has a name that cannot be declared" in str(raised.value)


def test_column_that_dbt_cannot_name_is_left_out_and_told(
    scaffolded: Scaffolded, project: Path
) -> None:
    done = scaffolded("create table t (id int primary key, `{{ x }}` int, `a\tb` int, c int)")
    assert done.proposals[0].unnamed == ("{{ x }}", "a\tb")
    assert 'Column "{{ x }}" is mirrored, but dbt cannot name it' in comments(project)
    columns = described(project)["stg_dim_shop_t"]["columns"]
    assert [column["name"] for column in columns] == ["t_id", "c"]


def test_chosen_tables_are_written_and_no_others(scaffolded: Scaffolded, project: Path) -> None:
    create = [f"create table {name} (id int primary key)" for name in ("a", "b", "c")]
    scaffolded(*create, tables=("c", "a"), server="crm")
    assert [(one.table, one.source) for one in declared(project).values()] == [
        ("a", "crm"),
        ("c", "crm"),
    ]


def test_names_that_dbt_or_postgresql_would_confuse_are_kept_apart(
    scaffolded: Scaffolded, project: Path
) -> None:
    long = "this_is_a_table_whose_name_is_as_long_as_mysql_allows_it_to_be"
    tables = ["a", "a_open", "a_pkey", "A b", "a_b", "???", "group", f"{long}_1", f"{long}_2"]
    scaffolded(*(f"create table `{name}` (id int primary key)" for name in tables))
    names = {table: one.name for table, one in declared(project).items()}
    assert set(names) == set(tables)
    assert {names["a_b"], names["A b"]} == {"mrr_dim_shop_a_b", "mrr_dim_shop_a_b_2"}
    assert names["a_b"] == "mrr_dim_shop_a_b"


def files_of(project: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in project.rglob("*") if path.is_file()}


def test_file_that_exists_is_kept_and_nothing_is_written(
    scaffolded: Scaffolded, project: Path
) -> None:
    own = project / "models/stg/shop/stg_dim_shop_b.sql"
    own.parent.mkdir()
    own.write_text("select 1 as mine\n", "utf-8")
    before = files_of(project)
    with pytest.raises(UsageError, match=r"stg/shop/stg_dim_shop_b\.sql: exists already"):
        scaffolded("create table a (id int primary key)", "create table b (id int primary key)")
    assert files_of(project) == before
    assert not (project / "models/mrr/shop").exists()


def test_domain_is_written_once(scaffolded: Scaffolded, project: Path) -> None:
    scaffolded("create table a (id int primary key)", "create table b (id int)", tables=("a",))
    before = files_of(project)
    sources = project / "models/mrr/shop/_mrr_shop__sources.yml"
    declared = sources.read_text("utf-8")
    sources.write_text("sources: []\n", "utf-8")
    with pytest.raises(UsageError, match=r"_mrr_shop__sources\.yml, .*: exist already"):
        scaffolded(tables=("b",))
    sources.write_text(declared, "utf-8")
    sources.rename(project / "models/mrr/_other.yml")
    for path in (project / "models/stg/shop").iterdir():
        path.unlink()
    with pytest.raises(UsageError, match="domain shop: is declared already"):
        scaffolded(tables=("b",))
    assert len(files_of(project)) == len(before) - 2


def test_what_the_check_of_a_run_refuses_is_removed_again(
    scaffolded: Scaffolded, project: Path
) -> None:
    other = project / "models/stg/other/stg_dim_shop_a__dbt_tmp.sql"
    other.parent.mkdir()
    other.write_text("select 1 as id\n", "utf-8")
    before = files_of(project)
    with pytest.raises(SettingError, match="stg_dim_shop_a__dbt_tmp"):
        scaffolded("create table a (id int primary key)")
    assert files_of(project) == before
    assert not (project / "models/stg/shop").exists()


def test_no_domain_is_called_like_a_folder_that_is_shipped(project: Path) -> None:
    demo = {table.domain for table in declared_tables(project)}
    folders = list(project.glob("models/*/*/"))
    for kind in ("macros", "seeds", "snapshots", "tests"):
        folders += project.glob(f"{kind}/*/")
    shared = {folder.name for folder in folders} - demo
    assert {"common", "generic", "history"} <= shared
    written_by_dbt = {"logs", "target"}
    for name in shared | written_by_dbt:
        with pytest.raises(UsageError, match=f'"{name}" is one of Tidemark\'s own'):
            named_domain(name, None)


def test_source_that_goes_away_meanwhile_is_no_reason_to_leave_a_table_out(
    source: MySQLSource, operational: OperationalDatabase, project: Path
) -> None:
    operational.execute("create table a (id int primary key)")
    operational.execute("create table b (id int primary key)")
    before, describe = files_of(project), source.describe

    def describe_the_first(declaration: MirroredTable, *limits: Limits) -> TableDescription:
        if declaration.table == "b":
            raise ServerError("operational", "no connection", "Start it.")
        return describe(declaration, *limits)

    source.describe = describe_the_first
    with pytest.raises(ServerError):
        scaffold(source, Domain("shop", operational.name, ""), (), project)
    assert files_of(project) == before


def test_what_is_not_there_is_told_with_what_is(
    source: MySQLSource, operational: OperationalDatabase, project: Path
) -> None:
    name = operational.name
    with pytest.raises(UsageError, match=f"no such database .*\n.*Did you mean {name}"):
        scaffold(source, Domain("shop", f"{name}_", ""), (), project)
    with pytest.raises(UsageError, match=r"has no table .*\nHINT: Create its tables"):
        scaffold(source, Domain("shop", name, ""), (), project)
    operational.execute("create view orders as select 1 as id")
    with pytest.raises(UsageError, match=r"nothing can be mirrored: orders .* is a view"):
        scaffold(source, Domain("shop", name, ""), (), project)
    with pytest.raises(UsageError, match=r"--table order: .*\n.*mean orders"):
        scaffold(source, Domain("shop", name, ""), ("order",), project)
