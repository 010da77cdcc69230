"""A declaration is checked as a whole, and means to dbt what it means to the extractor."""

from pathlib import Path

import pytest

from extract.declarations import MirroredTable, WrongDeclarations, declared_tables
from extract.declarations.entries import shown
from extract.declarations.project_file import SWITCH
from tests.support.command_line import CommandLine
from tests.support.declarations import FILE, GOOD, ORDERS, SHOP, below, faults_of, project, put

TABLE, META, SOURCE = (
    "      - name: mrr_fact_shop_orders",
    "            key: [orderNo]",
    "    schema: mrr",
)
SERVER = "        operational_database: shop"
NAMES_OF_SERVERS = "HINT: Give a name of letters and digits, with single _ between them"
WRONG = {
    **{
        f"the source {name}": (
            below(SERVER, f"source: {name}"),
            f"{SHOP} 9: source is {told}\n{NAMES_OF_SERVERS}",
        )
        for name, told in (
            ("shop-eu", '"shop-eu"'),
            ("shop__eu", '"shop__eu"'),
            ("shop_", '"shop_"'),
            ("größe", '"größe"'),
            ("12", "12"),
            ('""', "empty"),
        )
    },
    "the source of another's settings": (
        below(SERVER, "source: Admin"),
        f'{SHOP} 9: source is "Admin"\nHINT: Give another name; `env` writes settings',
    ),
    "a source with too long a name": (
        below(SERVER, f"source: {'s' * 49}"),
        "HINT: Give a name of at most 48 characters.",
    ),
    "the same mirror of two sources": (
        GOOD
        + GOOD.partition("sources:\n")[2]
        .replace("shop\n", "other\n", 1)
        .replace("meta:\n", "meta:\n        source: other\n", 1),
        f"mrr_fact_shop_orders in {FILE} line",
    ),
    "a table of events with another key": (
        put("operational_table: orders", "landed_from: events"),
        "key is [",
    ),
    "a table that lands from something else": (
        put("operational_table: orders", "landed_from: files"),
        'landed_from is "files"\nHINT: Give `events` or `documents`; other tables are mirrored.',
    ),
    "a number for a table": (
        put("table: orders", "table: 2024"),
        f"{ORDERS} 13: operational_table is 2024\nHINT: Give the name that it has at the source,"
        " in quotes if YAML would read it as a number, a date or a boolean.",
    ),
    "a date for a table": (
        put("table: orders", "table: 2024-01-31"),
        f"{ORDERS} 13: operational_table is 2024-01-31\n",
    ),
    "a yes for a table": (
        put("table: orders", "table: yes"),
        f"{ORDERS} 13: operational_table is true\n",
    ),
    "an empty table": (
        put("table: orders", "table:"),
        f"{ORDERS} 13: operational_table is empty\n",
    ),
    "blanks for a table": (
        put("table: orders", 'table: "  "'),
        f'{ORDERS} 13: operational_table is "  "\n',
    ),
    "a control character": (
        put("table: orders", r'table: "or\tders"'),
        f'{ORDERS} 13: operational_table is "or\\tders"\nHINT: Remove the control character.',
    ),
    "a name too long for MySQL": (
        put("table: orders", f"table: {'o' * 65}"),
        "HINT: Give a name that MySQL allows, literally: templates are not rendered.",
    ),
    "a template for a table": (
        put("table: orders", "table: \"{{ env_var('X') }}\""),
        "operational_table is \"{{ env_var('X') }}\"\nHINT: Give a name that MySQL allows",
    ),
    "a table that is text": (
        put(TABLE, "      - mrr_fact_shop_orders\n      - name: mrr_fact_shop_others"),
        f'a table of {SHOP} 10: is "mrr_fact_shop_orders"\nHINT: Give it a `name`, as in',
    ),
    "a table without a name": (
        put("- name: mrr_fact_shop_orders", "- description: orders"),
        f"a table of {SHOP} 10: name is missing\nHINT: Give a name of letters, digits",
    ),
    "a number for a name": (
        put("- name: mrr_fact_shop_orders", "- name: 7"),
        f"a table of {SHOP} 10: name is 7\n",
    ),
    "a template for a name": (
        put("mrr_fact_shop_orders", '"mrr_{{ target.name }}"'),
        'name is "mrr_{{ target.name }}"\nHINT: Give a name of letters, digits, _ and -',
    ),
    "a name that dbt cannot select": (
        put("mrr_fact_shop_orders", '"mrr.fact,orders"'),
        'name is "mrr.fact,orders"\n',
    ),
    "a control character in a name": (
        put("mrr_fact_shop_orders", r'"mrr_a\0"'),
        f'a table of {SHOP} 10: name is "mrr_a\\x00"\n',
    ),
    "tables that are a mapping": (
        GOOD.split("    tables:")[0] + "    tables: {mrr_a: {}}\n",
        f"{SHOP} 9: tables is a mapping\n"
        "HINT: Give `tables` as a list; each of its items begins with",
    ),
    "sources that are a mapping": (
        "sources:\n  shop:\n    schema: mrr\n",
        f"{FILE} line 1: sources is a mapping\nHINT: Give `sources` as a list",
    ),
    "a source that is text": (
        "sources:\n  - shop\n",
        f'source 1 in {FILE} line 2: is "shop"\nHINT: Give it a `name`.',
    ),
    "a file that is a list": ("- name: shop\n", f"{FILE} line 1: is [a mapping]\nHINT: Begin it"),
    "meta that is a list": (
        GOOD.split("          meta:\n            op")[0] + "          meta: [key]\n",
        f'{ORDERS} 12: config.meta is ["key"]\nHINT: Give `name: value` pairs below it.',
    ),
    "config that is text": (
        GOOD.split("        config:\n          meta:\n            op")[0]
        + "        config: no idea\n",
        f'{ORDERS} 11: config is "no idea"\n',
    ),
    "meta of a source that is a list": (
        put("        operational_database: shop", "        - operational_database"),
        f'{SHOP} 7: config.meta is ["operational_database"]\n',
    ),
    "meta at its old place": (
        GOOD.split("        config:\n          meta:\n            op")[0]
        + "        meta: {key: []}\n",
        f"{ORDERS} 11: meta is a mapping\nHINT: Move it below `config:`, as `config.meta`.",
    ),
    "meta of a source at its old place": (
        put(
            "    config:\n      meta:\n        operational_database: shop",
            "    meta:\n      operational_database: shop",
        ),
        f"{SHOP} 6: meta is a mapping\nHINT: Move it below `config:`, as `config.meta`.",
    ),
    "another schema": (
        put("schema: mrr", "schema: shop"),
        f'{SHOP} 5: schema is "shop"\nHINT: Mirrored tables are in `schema: mrr`.',
    ),
    "no schema": (
        put("    schema: mrr\n", ""),
        f"{SHOP} 4: schema is missing\nHINT: Give it `schema: mrr`.",
    ),
    "an identifier": (
        below(TABLE, "  identifier: orders"),
        f'{ORDERS} 11: identifier is "orders"\n'
        "HINT: The mirrored table has the `name` of its entry",
    ),
    "a database": (
        below(SOURCE, "database: other"),
        f'{SHOP} 6: database is "other"\nHINT: The mirror is in the warehouse\'s own database',
    ),
    "names without quotes": (
        below(TABLE, "  quoting: {identifier: false}"),
        f"{ORDERS} 11: quoting.identifier is false\nHINT: The mirror's names are quoted",
    ),
    "no key": (put("            key: [orderNo]\n", ""), f"{ORDERS} 13: key is missing\n"),
    "a key that is text": (
        put("[orderNo]", "orderNo"),
        f'{ORDERS} 14: key is "orderNo"\n'
        "HINT: Give `key` as a list of columns, or [] if the table has no key.",
    ),
    "a key with a column twice": (
        put("[orderNo]", "[a, b, a]"),
        f'{ORDERS} 14: key is ["a", "b", "a"]\nHINT: Name each column of the key once.',
    ),
    "a key with an empty column": (put("[orderNo]", "[a, '']"), '14: key is ["a", empty]\n'),
    "a key with a number": (put("[orderNo]", "[1]"), f"{ORDERS} 14: key is [1]\n"),
    "a cursor that is a list": (
        put("cursor: changed_at", "cursor: [changed_at]"),
        f'{ORDERS} 15: cursor is ["changed_at"]\n',
    ),
    "an empty cursor": (
        put("cursor: changed_at", "cursor:"),
        f"{ORDERS} 15: cursor is empty\nHINT: Name a column, or leave it out.",
    ),
    "an unknown name": (
        below(META, "curser: changed_at"),
        f'{ORDERS} 15: "curser" is not known in config.meta\n'
        "HINT: The known keys are: allow_engine,",
    ),
    "an unknown name in a source": (
        below("        operational_database: shop", "operational_databse: shop"),
        f'{SHOP} 9: "operational_databse" is not known in config.meta\n',
    ),
    "no database at the source": (
        put("    config:\n      meta:\n        operational_database: shop\n", ""),
        f"{SHOP} 4: operational_database is missing\n",
    ),
    "a number for the database": (
        put("database: shop", "database: 5"),
        f"{SHOP} 8: operational_database is 5\n",
    ),
    "an empty database": (
        put("database: shop", "database: ''"),
        f"{SHOP} 8: operational_database is empty\n",
    ),
    "enabled as text": (
        put("        config:\n", "        config:\n          enabled: 'no'\n"),
        f'{ORDERS} 12: config.enabled is "no"\nHINT: Give true or false, without quotes.',
    ),
    "enabled as a template": (
        put(
            "    config:\n      meta", "    config:\n      enabled: \"{{ var('on') }}\"\n      meta"
        ),
        f"{SHOP} 7: config.enabled is \"{{{{ var('on') }}}}\"\n",
    ),
    "an overlap with a fraction": (
        below(META, "overlap_seconds: 1.5"),
        f"{ORDERS} 15: overlap_seconds is 1.5\nHINT: Give a whole number from 2 to 31622400.",
    ),
    "an overlap that is true": (
        below(META, "overlap_seconds: true"),
        f"{ORDERS} 15: overlap_seconds is true\n",
    ),
    "a negative overlap": (
        below(META, "overlap_values: -1"),
        f"{ORDERS} 15: overlap_values is -1\n",
    ),
    "an overlap without end": (
        below(META, f"overlap_seconds: 1{'0' * 200}"),
        f"{ORDERS} 15: overlap_seconds is 1{'0' * 99}\n",
    ),
    "a time that is no number": (
        below(META, "verify_within_seconds: .inf"),
        f"{ORDERS} 15: verify_within_seconds is inf\n",
    ),
    "a key of YAML twice": (
        below(META, "key: [other]"),
        f'{FILE} line 15: "key" is already in line 14\nHINT: Keep one of the two.',
    ),
    "tabs": ("sources:\n\t- name: shop\n", f"{FILE} line 2: not YAML (found character"),
    "two documents": (
        f"{GOOD}---\n{GOOD}",
        f"{FILE} line 16: not YAML (but found another document)",
    ),
    "an unknown anchor": (
        put("[orderNo]", "*key"),
        f"{FILE} line 14: not YAML (found undefined alias)",
    ),
    "a tag of Python's": (
        put("[orderNo]", "!!python/object/apply:os.getcwd []"),
        f"{FILE} line 14: not YAML",
    ),
    "brackets without end": (
        "sources: " + "[" * 3_000 + "]" * 3_000,
        "not YAML (nested too deeply)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_declaration_is_told_with_its_file_and_line(tmp_path: Path, name: str) -> None:
    text, told = WRONG[name]
    said = faults_of(project(tmp_path, text))
    assert told in said
    assert "\nHINT: " in said
    assert "\x00" not in said and "\t" not in said


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = put("table: orders", "table: 2024").replace("[orderNo]", "orderNo")
    said = faults_of(project(tmp_path, text.replace("schema: mrr", "schema: other")))
    assert said.count("HINT: ") == 3
    assert [line.split(": ")[1].split(" ")[0] for line in said.splitlines()[::2]] == [
        "schema",
        "operational_table",
        "key",
    ]


def test_no_more_faults_are_told_than_one_reads(tmp_path: Path) -> None:
    more = "".join(f"      - name: mrr_dim_shop_{number}\n" for number in range(30))
    said = faults_of(project(tmp_path, GOOD + more))
    assert said.count("HINT: ") == 20
    assert said.endswith("\nand 10 more like these")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"sources:\n  - name: caf\xe9\n", f"{FILE} line 2: byte 0xe9 is not UTF-8\nHINT: Save"),
        (GOOD.encode("utf-16"), f"{FILE} line 1: byte 0xff is not UTF-8\nHINT: Save"),
        (b"sources: \x07\n", f"{FILE}: not YAML (control characters are not allowed)\nHINT: "),
    ],
    ids=["Latin-1", "UTF-16", "a bell"],
)
def test_file_in_another_encoding_is_told(tmp_path: Path, data: bytes, told: str) -> None:
    assert told in faults_of(project(tmp_path, data))


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    folder = project(tmp_path, GOOD)
    (folder / "models/mrr/shop/_mrr_gone.yml").symlink_to(tmp_path / "nowhere")
    assert "_mrr_gone.yml: cannot be read (No such file or directory)\nHINT: Let this" in (
        faults_of(folder)
    )


def test_source_in_a_folder_that_is_not_mirrored_is_told(tmp_path: Path) -> None:
    folder = project(tmp_path, GOOD)
    (folder / "models/stg").mkdir()
    (folder / "models/stg/_more.yml").write_text(GOOD.replace("_orders", "_others"), "utf-8")
    assert (
        "shop in _more.yml line 4: is in the folder stg, where its tables would not be mirrored"
        in faults_of(folder)
    )


def test_domain_of_the_demo_is_the_one_that_the_project_file_switches(tmp_path: Path) -> None:
    folder = project(tmp_path, GOOD)
    file = folder / "dbt_project.yml"
    switch = f'{{+enabled: "{SWITCH % ("shop", "shop")}"}}'
    more = "\nsources: {tidemark: {mrr: {shop: %s}}}\n"
    text = file.read_text("utf-8") if file.exists() else "name: tidemark\n"
    file.write_text(text + more % switch, "utf-8")
    assert {table.demo for table in declared_tables(folder)} == {True}
    # a switch that names another domain is no switch of this one
    file.write_text(text + more % switch.replace("'shop'", "'other'"), "utf-8")
    assert "sources have +enabled here" in faults_of(folder)
    file.write_text(text, "utf-8")
    assert {table.demo for table in declared_tables(folder)} == {False}


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("sources: {tidemark: {mrr: {+enabled: false}}}", "sources have +enabled here"),
        ("sources:\n  +meta: {key: [id]}", "dbt_project.yml line 6: sources have +meta here"),
        ("quoting: {identifier: false}", "quoting.identifier is false"),
    ],
    ids=["enabled", "meta", "quoting"],
)
def test_project_that_changes_what_is_declared_is_told(
    tmp_path: Path, setting: str, told: str
) -> None:
    folder = project(tmp_path, GOOD)
    with (folder / "dbt_project.yml").open("a", encoding="utf-8") as file:
        file.write(setting)
    assert told in faults_of(folder)


def test_declarations_of_the_project_are_right() -> None:
    assert all(isinstance(table, MirroredTable) for table in declared_tables())


def test_value_of_any_size_is_shown_short() -> None:
    assert len(shown("x" * 10_000)) < 110
    assert shown(["a", None, True, {}]) == "['a', None, True, {}]"


@pytest.mark.parametrize("command", ["", "plan", "doctor", "verify", "status", "env"])
def test_every_command_tells_a_wrong_declaration_and_ends_with_2(
    command_line: CommandLine, command: str
) -> None:
    (path,) = command_line.folder.glob("dbt_project/models/mrr/sales/*.yml")
    before, after = path.read_text("utf-8").split("operational_table: sales\n")
    path.write_text(f"{before}operational_table: 2024\n{after}", "utf-8")
    line = before.count("\n") + 1
    done = command_line.run(*command.split())
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"mrr_fact_sales in {path.name} line {line}: operational_table is 2024\nHINT: " in (
        done.stderr
    )
    assert "Traceback" not in done.stderr
    # what needs no declaration is told all the same
    assert ("export WAREHOUSE_HOST=" in done.stdout) == (command == "env")


def test_wrong_declarations_keep_their_faults_apart(tmp_path: Path) -> None:
    with pytest.raises(WrongDeclarations) as caught:
        declared_tables(project(tmp_path, put("[orderNo]", "x").replace("table: orders", "table:")))
    assert [fault.problem for fault in caught.value.faults] == [
        "operational_table is empty",
        'key is "x"',
    ]
