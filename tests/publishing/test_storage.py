"""The statements for ClickHouse, on one server and on a cluster."""

import pytest

from publishing.columns import Column, Relation, target_name
from publishing.declared import Published
from publishing.storage import Place, Storage, create_marker
from publishing.types import rule_of


def storage(cluster: str = "", key: tuple[str, ...] = ("id",), by: str | None = "day") -> Storage:
    published = Published("shop", "mrr", "mrr_orders", key, ("day",), by)
    columns = tuple(
        Column(name, rule_of("mrr_orders", name, kind, None), is_nullable, kind)
        for name, kind, is_nullable in (("id", "bigint", False), ("day", "date", True))
    )
    return Storage(Place("olap", cluster), Relation(published, columns))


def named(text: str, made: Storage) -> str:
    return text.replace("NAME", made.name)


def test_versioned_table_of_one_server() -> None:
    made = storage()
    assert [*made.create(), made.create_view()] == [
        named(
            "create table if not exists `olap`.`NAME` (`id` Int64, `day` Nullable(Date32),"
            " _tidemark_version UInt64 default 1, _tidemark_deleted UInt8 default 0)"
            " engine = ReplacingMergeTree(_tidemark_version, _tidemark_deleted)"
            " partition by ifNull(toYYYYMM(`day`), 0) order by (`day`, `id`)"
            " settings allow_nullable_key = 1",
            made,
        ),
        named(
            "create or replace view `olap`.`mrr_orders` as select `id`, `day` from `olap`.`NAME`"
            " final settings do_not_merge_across_partitions_select_final = 0",
            made,
        ),
    ]


def test_table_without_a_key_has_no_versions() -> None:
    made = storage(key=(), by=None)
    (statement,) = made.create()
    assert "engine = MergeTree() order by (`day`)" in statement
    assert "version" not in statement
    assert "final" not in made.create_view()
    assert made.partition_id(0) == "all"


def test_cluster_replicates_and_distributes_every_table() -> None:
    made = storage("c1")
    own, distributed = made.create()
    path = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
    assert own.startswith(named("create table if not exists `olap`.`NAME` on cluster `c1` (", made))
    engine = f"ReplicatedReplacingMergeTree({path}, _tidemark_version, _tidemark_deleted)"
    assert f"engine = {engine} partition" in own
    assert distributed == named(
        "create table if not exists `olap`.`NAME_all` on cluster `c1` as `olap`.`NAME` engine ="
        " Distributed(`c1`, `olap`, `NAME`, cityHash64(`id`))",
        made,
    )
    every = [*made.create_staged(7), *made.create_changes(), *made.drop_beside("staged")]
    every += [made.create_view(), made.replace_partition("202601"), made.drop_partition("202601")]
    every += [made.place.create_database(), create_marker(made.place), made.drop("x")]
    assert all(" on cluster `c1`" in statement for statement in every)
    assert made.replace_partition("202601") == named(
        "alter table `olap`.`NAME` on cluster `c1`"
        " replace partition id '202601' from `olap`.`NAME_staged`",
        made,
    )
    # every row of a key is in one shard, and the view reads all shards
    assert "final" in made.create_view()
    assert f"`{made.name}_all`" in made.create_view()


def test_other_columns_are_another_storage() -> None:
    made, other = storage(), storage(by=None)
    assert made.name != other.name
    assert made.is_left_over(other.name)
    assert made.is_left_over(f"{other.name}_staged")
    assert not made.is_left_over(made.name)
    assert made.is_left_over(f"{made.name}_changes")
    assert not made.is_left_over(f"{made.name}_all")
    assert not made.is_left_over("_mrr_orders_lines_1a2b3c4d")
    assert not made.is_left_over("_mrr_orders_20250101_abcdefab")
    assert not made.is_left_over("mrr_orders")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a", "`a`"), ("a`b", "`a\\`b`"), ("a\\", "`a\\\\`"), ("ä 'x'", "`ä 'x'`")],
    ids=["plain", "backtick", "backslash", "others"],
)
def test_names_are_quoted(name: str, expected: str) -> None:
    assert target_name(name) == expected
