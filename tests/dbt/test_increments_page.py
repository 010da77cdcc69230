"""The worked example of docs/increments.md, built as it stands there."""

from pathlib import Path

from tests.dbt.test_project_rules import EXCEPTIONS, Graph, broken_rules, parsed
from tests.support.dbt_warehouse import Warehouse
from tests.support.project_files import write_files_of
from tests.support.projects import Project
from tests.test_layout import check_name, described_in

PAGE = "increments.md"
MODEL = "dwh_fact_shop_lines"
ROWS = f"select * from dwh.{MODEL} order by 1, 2"
LINES, ARTICLES = "mrr_fact_shop_lines", "mrr_dim_shop_articles"


def test_worked_example_follows_lines_and_articles(
    warehouse: Warehouse, project: Project, copied_project: Path
) -> None:
    assert len(write_files_of(PAGE, copied_project)) == 6
    warehouse.query(
        f"create table mrr.{LINES} (order_id bigint, line_number smallint, sku text, qty integer,"
        " primary key (order_id, line_number))"
    )
    warehouse.query(f"create table mrr.{ARTICLES} (sku text primary key, article_name text)")
    warehouse.query(f"insert into mrr.{LINES} values (7, 1, 'a', 2), (7, 2, 'b', 1)")
    warehouse.query(f"insert into mrr.{ARTICLES} values ('a', 'Apple')")
    build = ("build", "--select", "source:shop+")
    project.dbt(*build)
    assert warehouse.query(ROWS) == [(7, 1, "a", "Apple", 2), (7, 2, "b", None, 1)]

    insert = f"insert into mrr.{LINES} values (9, 3, 'a', 5)"
    warehouse.apply(LINES, {"order_id": 9, "line_number": 3}, "insert", insert)
    delete = f"delete from mrr.{LINES} where line_number = 1"
    warehouse.apply(LINES, {"order_id": 7, "line_number": 1}, "delete", delete)
    late = f"insert into mrr.{ARTICLES} values ('b', 'Bread')"
    warehouse.apply(ARTICLES, {"sku": "b"}, "insert", late)
    # nobody logged this one, so that only a full refresh reads it
    warehouse.query(f"insert into mrr.{LINES} values (1, 1, 'a', 1)")
    project.dbt(*build)
    assert warehouse.query(ROWS) == [(7, 2, "b", "Bread", 1), (9, 3, "a", "Apple", 5)]
    project.dbt(*build, "--full-refresh")
    assert (1, 1, "a", "Apple", 1) in warehouse.query(ROWS)


def test_worked_example_keeps_to_the_layout(tmp_path: Path) -> None:
    for name in write_files_of(PAGE, tmp_path):
        if name.endswith(".sql"):
            _, layer, domain, file = Path(name).parts
            check_name(file.removesuffix(".sql"), layer, domain)
    for source in described_in(tmp_path, "sources"):
        for table in source["tables"]:
            check_name(table["name"], "mrr", source["name"])


def test_worked_example_keeps_to_the_rules(
    project: Project, copied_project: Path, tmp_path: Path
) -> None:
    write_files_of(PAGE, copied_project)
    graph = Graph(parsed(tmp_path, DBT_PROJECT_DIR=str(copied_project)))
    names = {node.name for node in graph.relations.values()}
    assert {MODEL, "stg_dim_shop_articles", "stg_fact_shop_lines", LINES, ARTICLES} <= names
    assert broken_rules(graph) - set(EXCEPTIONS) == set()
