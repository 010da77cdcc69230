"""A key of a declaration that is almost one that dbt reads: dbt would ignore it."""

from pathlib import Path

import pytest

from extract.declarations import declared_tables
from tests.support.declarations import FILE, GOOD, ORDERS, SHOP, below, faults_of, project, put

TABLE = "      - name: mrr_fact_shop_orders"
CONFIG = "        config:\n          meta:\n            op"
MISSPELLED = {
    "sources": (
        put("sources:", "source:"),
        f'a key in {FILE} line 3: "source" is not known\nHINT: Did you mean sources?',
    ),
    "tables": (
        put("    tables:", "    tabels:"),
        f'{SHOP} 9: "tabels" is not known\nHINT: Did you mean tables?',
    ),
    "columns": (
        put(TABLE, f"{TABLE}\n        colums: []"),
        f'{ORDERS} 11: "colums" is not known\nHINT: Did you mean columns?',
    ),
    "enabled": (
        put(CONFIG, CONFIG.replace("          meta", "          enable: false\n          meta")),
        f'{ORDERS} 12: "config.enable" is not known\nHINT: Did you mean enabled?',
    ),
}


@pytest.mark.parametrize("name", MISSPELLED)
def test_misspelled_key_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    text, told = MISSPELLED[name]
    assert told in faults_of(project(tmp_path, text))


def test_keys_of_others_are_left_to_dbt(tmp_path: Path) -> None:
    text = below("    schema: mrr", "loader: dms\nteams: [a]\nrefresh: daily\nnotes: none")
    assert declared_tables(project(tmp_path, text)) == declared_tables(
        project(tmp_path / "other", GOOD)
    )
