"""A declaration means to dbt what it means to the extractor, and names fit what dbt makes."""

from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner

from common import libpq
from common.settings import PROJECT
from common.tls import Tls
from extract.declarations import declared_tables
from tests.support.declarations import FILE, GOOD, faults_of, project, put

ANCHORED = """\
sources:
  - &shop
    name: shop
    schema: mrr
    config: {meta: {operational_database: shop}}
    tables:
      - name: mrr_fact_shop_orders
        config: &config
          meta: &meta
            key: [id]
            overlap_seconds: 30
      - name: mrr_fact_shop_items
        config:
          <<: *config
          meta:
            <<: *meta
            key: [id, place]
  - <<: *shop
    name: branch
    tables:
      - name: mrr_fact_branch_orders
        config: *config
"""
SWITCHED = """\
sources:
  - name: shop
    schema: mrr
    config:
      enabled: false
      meta: {operational_database: shop}
    tables:
      - {name: mrr_dim_shop_a, config: {enabled: true, meta: {key: []}}}
      - {name: mrr_dim_shop_b, config: {meta: {key: []}}}
  - name: branch
    schema: mrr
    quoting: {identifier: true}
    config: {meta: {operational_database: branch}}
    tables:
      - {name: mrr_dim_branch_a, config: {enabled: false, meta: {key: wrong}}}
      - {name: Ünïcode-1, config: {meta: {key: [größe]}}}
"""
SAME = {
    "as it should be": (GOOD, FILE),
    "with anchors": (ANCHORED, FILE),
    "with a byte order mark": ("\ufeff" + GOOD, FILE),
    "with another ending": (GOOD, "_MRR.YAML"),
    "switched on and off": (SWITCHED, FILE),
    "with quoted numbers": (
        put("orders\n            key", "'2024'\n            key").replace("orderNo", '"007"'),
        FILE,
    ),
    "without tables": (GOOD.split("    tables:")[0] + "    tables: []\n", FILE),
    "empty": ("", FILE),
    "of somebody's editor": (GOOD, "#_mrr.yml"),
}


@pytest.mark.parametrize("name", SAME)
def test_dbt_takes_a_declaration_as_the_extractor_does(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, file = SAME[name]
    folder = project(tmp_path, text, file)
    for part in ("HOST", "USER", "PASSWORD", "DATABASE"):
        monkeypatch.setenv(f"WAREHOUSE_{part}", "warehouse")
    monkeypatch.setenv("WAREHOUSE_PORT", "1")
    for name, value in libpq.security_variables(Tls()).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    parsed = dbtRunner().invoke(
        ["--quiet", "parse", "--project-dir", str(folder), "--profiles-dir", str(PROJECT)]
    )
    assert parsed.exception is None, parsed.exception
    by_dbt = {
        (source.source_name, source.schema, source.identifier, tuple(source.config.meta["key"]))
        for source in parsed.result.sources.values()
    }
    tables = declared_tables(folder)
    assert {(table.domain, "mrr", table.name, table.key) for table in tables} == by_dbt
    for source in parsed.result.sources.values():
        assert source.relation_name == f'"warehouse"."mrr"."{source.name}"'


def test_merged_declaration_is_read_whole(tmp_path: Path) -> None:
    orders, items, branch = declared_tables(project(tmp_path, ANCHORED))
    assert (orders.key, orders.overlap_seconds) == (("id",), 30)
    assert (items.key, items.overlap_seconds) == (("id", "place"), 30)
    assert (branch.domain, branch.database, branch.table) == (
        "branch",
        "shop",
        "mrr_fact_branch_orders",
    )


def test_fault_of_a_merged_part_is_told_where_it_stands(tmp_path: Path) -> None:
    said = faults_of(project(tmp_path, ANCHORED.replace("seconds: 30", "seconds: x")))
    assert said.count('line 11: overlap_seconds is "x"') == 3


def test_one_table_of_the_source_may_be_mirrored_twice(tmp_path: Path) -> None:
    more = "      - {name: mrr_more, config: {meta: {operational_table: orders, key: []}}}\n"
    one, two = declared_tables(project(tmp_path, GOOD + more))
    assert one.source_table == two.source_table == "shop.orders"


def named(*names: str) -> str:
    head = GOOD.split("    tables:")[0] + "    tables:\n"
    return head + "".join(
        f"      - {{name: {name}, config: {{meta: {{key: []}}}}}}\n" for name in names
    )


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["m" * 64], "PostgreSQL truncates names to 63 bytes; this one has 64."),
        (["m" * 63 + "_a", "m" * 63 + "_b"], "this one has 65."),
        (["ü" * 32], "this one has 64."),
        (["mrr_a", "mrr_a"], f"mrr_a in {FILE} line 11: declared twice, also in {FILE} line 10"),
        (["mrr_A", "mrr_a"], f"mrr_a in {FILE} line 11: differs from mrr_A in {FILE} line 10"),
        (["mrr_Ä", "mrr_ä"], "only in case"),
        (["mrr_a_pkey", "mrr_a"], "mrr_a_pkey in"),
        (["mrr_a", "mrr_a_pkey1"], "the name that PostgreSQL gives to the primary key of mrr_a"),
        (["m" * 60, "m" * 58 + "_pkey"], "gives to the primary key of mmm"),
    ],
    ids=[
        "64 bytes",
        "the same first 63 bytes",
        "64 bytes in 32 characters",
        "one name",
        "by case",
        "by case, not ASCII",
        "a key's name",
        "a second key's name",
        "a long key's name",
    ],
)
def test_names_that_postgresql_takes_for_one_are_refused(
    tmp_path: Path, names: list[str], told: str
) -> None:
    assert told in faults_of(project(tmp_path, named(*names)))


def test_name_of_63_bytes_is_taken(tmp_path: Path) -> None:
    names = ["m" * 63, "m" * 62 + "n", "ü" * 31, "mrr_pkey_a", "mrr_a"]
    assert [t.name for t in declared_tables(project(tmp_path, named(*names)))] == names


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["m" * 51 + "_a.sql", "m" * 51 + "_b.sql"], "__dbt_backup"),
        (["dwh_a.sql", "dwh_a__dbt_tmp.sql"], 'dbt creates a relation "dwh_a__dbt_tmp"'),
        (["dwh_a.sql", "dwh_a_open.py"], 'a relation "dwh_a_open"'),
        (["dwh_a.sql", "DWH_A.sql"], "both for it and for DWH_A"),
        (["m" * 64 + ".sql"], "of 64 bytes\nHINT: PostgreSQL truncates names to 63 bytes"),
        (["ü" * 30 + ".sql"], "of 72 bytes\nHINT: PostgreSQL truncates names to 63 bytes"),
    ],
    ids=["one backup", "a suffix", "an index", "by case", "too long", "too long with a suffix"],
)
def test_models_for_which_dbt_makes_one_relation_are_refused(
    tmp_path: Path, files: list[str], told: str
) -> None:
    folder = project(tmp_path, GOOD)
    (folder / "models" / "dwh" / "shop").mkdir(parents=True)
    for file in files:
        (folder / "models" / "dwh" / "shop" / file).touch()
    assert told in faults_of(folder)


def test_snapshot_and_model_of_one_relation_are_refused(tmp_path: Path) -> None:
    folder = project(tmp_path, GOOD)
    (folder / "snapshots").mkdir()
    (folder / "snapshots" / "_s.yml").write_text("snapshots: [{name: dwh_a}]", "utf-8")
    (folder / "snapshots" / "b.sql").write_text("{% snapshot dwh_b %}{% endsnapshot %}", "utf-8")
    (folder / "models" / "dwh").mkdir()
    (folder / "models" / "dwh" / "dwh_a_open.sql").touch()
    assert "dwh_a_open: " in (said := faults_of(folder))
    assert "dwh_b" not in said


def test_seed_and_model_of_one_relation_are_refused(tmp_path: Path) -> None:
    """A seed is in the schema of stg, not in that of dwh."""
    folder = project(tmp_path, GOOD)
    for name in ("seeds/shop/a.csv", "seeds/shop/b.csv", "models/stg/shop/a__dbt_tmp.sql"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "models/dwh/shop").mkdir(parents=True)
    (folder / "models/dwh/shop/b__dbt_tmp.sql").touch()
    assert "a__dbt_tmp: " in (said := faults_of(folder))
    assert "b__dbt_tmp" not in said
