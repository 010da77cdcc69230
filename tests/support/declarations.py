"""A dbt project that declares a mirrored table, and what is told of its faults."""

from pathlib import Path

import pytest

from common.errors import ExitCode, SettingError
from extract.declarations import declared_tables

FILE = "_mrr_shop__sources.yml"
GOOD = """\
version: 2

sources:
  - name: shop
    schema: mrr
    config:
      meta:
        operational_database: shop
    tables:
      - name: mrr_fact_shop_orders
        config:
          meta:
            operational_table: orders
            key: [orderNo]
            cursor: changed_at
"""


def project(folder: Path, text: str | bytes, name: str = FILE) -> Path:
    """A dbt project that declares this."""
    sources = folder / "models" / "mrr" / "shop"
    sources.mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(
        "name: tidemark\nprofile: tidemark\nmodel-paths: [models]\n"
        "flags: {send_anonymous_usage_stats: false}\n",
        encoding="utf-8",
    )
    data = text.encode() if isinstance(text, str) else text
    (sources / name).write_bytes(data)
    return folder


def faults_of(folder: Path) -> str:
    with pytest.raises(SettingError) as caught:
        declared_tables(folder)
    assert caught.value.exit_code == ExitCode.USAGE
    return str(caught.value)


def put(found: str, instead: str) -> str:
    assert GOOD.count(found) == 1
    return GOOD.replace(found, instead)


def below(line: str, more: str) -> str:
    """The file with lines more, below one and as deep as it."""
    indent = " " * (len(line) - len(line.lstrip()))
    lines = "".join(f"{indent}{part}\n" for part in more.split("\n"))
    return put(f"{line}\n", f"{line}\n{lines}")


ORDERS = f"mrr_fact_shop_orders in {FILE} line"
SHOP = f"shop in {FILE} line"
