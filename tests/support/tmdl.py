"""The Power BI project as it is committed, read by a reader that knows nothing of its writer."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.settings import PROJECT

FOLDER = PROJECT / "dashboard" / "powerbi"
MODEL = FOLDER / "Tidemark.SemanticModel" / "definition"
REPORT = FOLDER / "Tidemark.Report" / "definition"
PAGE = "README.md"
"""What is in the folder, and not generated."""
NAME = r"'(?:[^']|'')+'|\w+"


@dataclass
class TmdlTable:
    """A table: the relation it is read from, its columns, its measures with their DAX."""

    name: str
    relation: str = ""
    selected: list[str] = field(default_factory=list)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    measures: dict[str, str] = field(default_factory=dict)

    def source(self, column: str) -> str:
        return self.columns[column]["sourceColumn"]


@dataclass(frozen=True)
class TmdlRelationship:
    """The two ends, each a table and a column by their names in the model."""

    many: tuple[str, str]
    one: tuple[str, str]
    is_active: bool


def unquoted(name: str) -> str:
    return name.strip("'").replace("''", "'") if name.startswith("'") else name


def committed() -> dict[str, str]:
    """Every generated file by its path, with its content; Desktop keeps its own in `.pbi`."""
    paths = [path.relative_to(FOLDER) for path in sorted(FOLDER.rglob("*")) if path.is_file()]
    return {
        path.as_posix(): (FOLDER / path).read_text(encoding="utf-8")
        for path in paths
        if ".pbi" not in path.parts and path.name != PAGE
    }


def tables(folder: Path = MODEL) -> dict[str, TmdlTable]:
    read = [_table(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("tables/*"))]
    return {table.name: table for table in read}


def _table(text: str) -> TmdlTable:
    (head,) = re.findall(rf"^table ({NAME})$", text, re.MULTILINE)
    table = TmdlTable(unquoted(head))
    for kind, name, code, body in re.findall(
        rf"^\t(measure|column) ({NAME})(?: =(.*))?\n((?:\t\t.*\n|\n)*)", text, re.MULTILINE
    ):
        lines = body.splitlines()
        properties = dict(
            re.findall(r"^\t\t(\w+)(?:: (.*))?$", "\n".join(lines), re.MULTILINE),
        )
        expression = "\n".join([code, *(line for line in lines if line.startswith("\t\t\t"))])
        if kind == "measure":
            table.measures[unquoted(name)] = expression.strip()
        else:
            table.columns[unquoted(name)] = properties | {"expression": code.strip()}
    schema, item = re.findall(r'Source\{\[Schema = "(\w+)", Item = "(\w+)"\]\}', text)[0]
    table.relation = f"{schema}.{item}"
    (selected,) = re.findall(r"Table\.SelectColumns\(\w+, \{(.*?)\}\)", text)
    table.selected = [name.strip('" ') for name in selected.split(",")]
    return table


def relationships(folder: Path = MODEL) -> list[TmdlRelationship]:
    text = (folder / "relationships.tmdl").read_text(encoding="utf-8")
    return [
        TmdlRelationship(
            _end(block, "fromColumn"), _end(block, "toColumn"), "isActive: false" not in block
        )
        for block in text.split("relationship ")[1:]
    ]


def _end(block: str, which: str) -> tuple[str, str]:
    ((table, column),) = re.findall(rf"{which}: ({NAME})\.({NAME})$", block, re.MULTILINE)
    return unquoted(table), unquoted(column)


def pages() -> dict[str, dict[str, Any]]:
    """Each page by its name, with `visuals`, in the order of the files."""
    order = read_json(REPORT / "pages" / "pages.json")["pageOrder"]
    return {
        name: read_json(REPORT / "pages" / name / "page.json")
        | {"visuals": [read_json(one) for one in sorted(visuals_of(name))]}
        for name in order
    }


def visuals_of(page: str) -> Iterator[Path]:
    return (REPORT / "pages" / page).glob("visuals/*/visual.json")


def read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def fields(content: Any) -> Iterator[tuple[str, str, str]]:
    """Every field that a visual names: `Column` or `Measure`, its table and its name."""
    if isinstance(content, dict):
        for kind in ("Column", "Measure"):
            if "Property" in (one := content.get(kind) or {}):
                yield kind, one["Expression"]["SourceRef"]["Entity"], one["Property"]
    for value in content.values() if isinstance(content, dict) else content:
        if isinstance(value, dict | list):
            yield from fields(value)
