"""Tables of one's own, without those of the demo."""

from tests.support.command_line import CommandLine
from tests.support.servers import OperationalDatabase


def test_demo_domains_are_left_out_where_they_are_switched_off(command_line: CommandLine) -> None:
    """With none of one's own declared there is nothing to mirror, and that is said."""
    none = command_line.run(DEMO_DOMAINS="off")
    assert none.returncode == 2
    assert "mirrored tables: none is declared\nHINT: " in none.stderr


def test_own_tables_run_without_the_demo(
    command_line: CommandLine, operational: OperationalDatabase
) -> None:
    operational.execute("create table items (id int primary key, name text)")
    operational.execute("insert into items values (1, 'mine')")
    folder = command_line.folder / "dbt_project/models/mrr/shop"
    folder.mkdir()
    (folder / "_mrr_shop__sources.yml").write_text(
        f"""
sources:
  - name: shop
    schema: mrr
    config: {{meta: {{operational_database: {operational.name}}}}}
    tables:
      - name: mrr_dim_shop_items
        config: {{meta: {{operational_table: items, key: [id]}}}}
""",
        encoding="utf-8",
    )
    done = command_line.run(DEMO_DOMAINS="off")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mrr_dim_shop_items" in done.stdout
    assert "mrr_fact_sales" not in done.stdout
