"""Draws the entity-relationship diagrams in the pages of the demo: `make docs`.

The application's tables are drawn from its `schema.sql`, as far as the project declares them; the
star from the contracts and relationships tests of its models in `dwh`. Mermaid, which GitHub
renders, between two comments of each page.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlglot
from sqlglot import expressions as sql

from common.settings import PROJECT, Address
from warehouse.build import dbt_environment

DOMAINS = ("ecommerce", "ewallet", "media", "sales")
NOWHERE = Address("127.0.0.1", 1, "nobody", "nothing", "none")
"""A warehouse that dbt is not connected to when it parses."""
BLOCK = re.compile(r"<!-- diagram of the (\w+) -->\n.*?<!-- end of the diagram -->", re.DOTALL)
"""Where a page has a diagram; the word says which."""
STAR = re.compile(r"dwh_(?:fact|dim)_")
"""The models that a star consists of; others are drawn if they have relationships."""


@dataclass(frozen=True)
class Column:
    """A column with its type, and `PK`, `FK` or both."""

    name: str
    kind: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Relationship:
    """A column of `child` that refers to one row of `parent`, or to none if it is optional."""

    parent: str
    child: str
    column: str
    is_optional: bool = False


@dataclass(frozen=True)
class Diagram:
    """Tables with their columns, and what refers to what."""

    tables: Mapping[str, list[Column]]
    relationships: list[Relationship]

    def mermaid(self) -> str:
        """The diagram as a block of Markdown."""
        lines = ["```mermaid", "erDiagram"]
        for one in self.relationships:
            least = "o" if one.is_optional else "|"
            lines.append(f'    {one.parent} |{least}--o{{ {one.child} : "{one.column}"')
        for name, columns in self.tables.items():
            lines.append(f"    {name} {{")
            lines += [_line(column) for column in columns]
            lines.append("    }")
        return "\n".join([*lines, "```"])


def pages(manifest: Mapping[str, Any]) -> dict[Path, str]:
    """The pages of the domains, with the diagrams as they should be."""
    return {
        page: page_with_diagrams(page.read_text(encoding="utf-8"), manifest, page.stem)
        for page in (PROJECT / "docs" / f"{domain}.md" for domain in DOMAINS)
    }


def page_with_diagrams(text: str, manifest: Mapping[str, Any], domain: str) -> str:
    """The text of a page with its diagrams drawn anew."""
    drawn = {
        "application": lambda: source_diagram(manifest, domain),
        "star": lambda: star_diagram(manifest, domain),
    }

    def block(found: re.Match[str]) -> str:
        diagram = drawn[found[1]]().mermaid()
        return f"<!-- diagram of the {found[1]} -->\n{diagram}\n<!-- end of the diagram -->"

    return BLOCK.sub(block, text)


def source_diagram(manifest: Mapping[str, Any], domain: str) -> Diagram:
    """The tables that the domain mirrors, as the application created them."""
    schema = (PROJECT / "operational" / domain / "schema.sql").read_text(encoding="utf-8")
    mirrored = {
        source["config"]["meta"]["operational_table"]
        for source in manifest["sources"].values()
        if source["source_name"] == domain and "operational_table" in source["config"]["meta"]
    }
    tables: dict[str, list[Column]] = {}
    relationships = []
    for statement in sqlglot.parse(schema, read="mysql"):
        if not isinstance(statement, sql.Create) or statement.this.this.name not in mirrored:
            continue
        name = statement.this.this.name
        primary = {
            column.name
            for key in statement.find_all(sql.PrimaryKey)
            for column in key.find_all(sql.Identifier)
        }
        foreign = {
            key.expressions[0].name: key.args["reference"].find(sql.Table).name
            for key in statement.find_all(sql.ForeignKey)
        }
        defined = list(statement.find_all(sql.ColumnDef))
        tables[name] = [
            Column(
                one.name,
                _bare(one.args["kind"].sql(dialect="mysql")),
                _keys(one.name in primary, one.name in foreign),
            )
            for one in defined
        ]
        required = {one.name for one in defined if one.find(sql.NotNullColumnConstraint)}
        relationships += [
            Relationship(parent, name, column, column not in required)
            for column, parent in foreign.items()
        ]
    return Diagram(tables, relationships)


def star_diagram(manifest: Mapping[str, Any], domain: str) -> Diagram:
    """The facts and dimensions of the domain, and what their relationships tests say."""
    nodes = manifest["nodes"]
    models = {
        key: node
        for key, node in nodes.items()
        if node["resource_type"] == "model" and node["fqn"][1:3] == ["dwh", domain]
    }
    tested = [
        Relationship(_referred(nodes, test), models[node]["name"], test["column_name"])
        for node, test in _tests(nodes, "relationships")
        if node in models
    ]
    drawn = {name for one in tested for name in (one.parent, one.child)}
    drawn |= {node["name"] for node in models.values() if STAR.match(node["name"])}
    unique = {(node, test["column_name"]) for node, test in _tests(nodes, "unique")}
    foreign = {(one.child, one.column) for one in tested}
    return Diagram(
        {
            node["name"]: [
                Column(
                    name,
                    _bare(column["data_type"]),
                    _keys(_is_primary(node, column, unique), (node["name"], name) in foreign),
                )
                for name, column in node["columns"].items()
            ]
            for node in sorted(nodes.values(), key=_order)
            if node["resource_type"] == "model" and node["name"] in drawn
        },
        sorted(tested, key=lambda one: (one.child, one.column)),
    )


def _tests(nodes: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The generic tests of a name, each with the node that it tests."""
    for test in nodes.values():
        if (
            test["resource_type"] == "test"
            and (test.get("test_metadata") or {}).get("name") == name
        ):
            yield test["attached_node"], test


def _order(node: Mapping[str, Any]) -> tuple[bool, str]:
    """The facts first."""
    return not node["name"].startswith("dwh_fact_"), node["name"]


def _referred(nodes: Mapping[str, Any], test: Mapping[str, Any]) -> str:
    (parent,) = set(test["depends_on"]["nodes"]) - {test["attached_node"]}
    return str(nodes[parent]["name"])


def _is_primary(
    node: Mapping[str, Any], column: Mapping[str, Any], unique: set[tuple[str, str]]
) -> bool:
    """Whether the contract has it in the primary key, or a test says that it is unique."""
    declared = {
        name
        for constraint in node["constraints"]
        if constraint["type"] == "primary_key"
        for name in constraint["columns"]
    }
    return column["name"] in declared or (node["unique_id"], column["name"]) in unique


def _bare(kind: str) -> str:
    """The name of a type, without its length."""
    return re.sub(r"\W.*", "", kind.lower())


def _keys(is_primary: bool, is_foreign: bool) -> tuple[str, ...]:
    return ("PK",) * is_primary + ("FK",) * is_foreign


def _line(column: Column) -> str:
    return f"        {column.kind} {column.name} {', '.join(column.keys)}".rstrip()


def read_manifest() -> dict[str, Any]:
    """What dbt makes of the project with all domains of the demo."""
    with TemporaryDirectory(prefix="tidemark-") as folder:
        done = subprocess.run(
            [Path(sys.executable).parent / "dbt", "--quiet", "parse", "--target-path", folder],
            env={**os.environ, **dbt_environment(NOWHERE), "DBT_LOG_PATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"dbt parse failed:\n{done.stdout}{done.stderr}")
        manifest: dict[str, Any] = json.loads((Path(folder) / "manifest.json").read_text("utf-8"))
    return manifest


if __name__ == "__main__":
    for written, content in pages(read_manifest()).items():
        written.write_text(content, encoding="utf-8")
