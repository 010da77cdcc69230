"""YAML with comments, as dbt reads it: descriptions are not templates."""

import re
import textwrap
from typing import Any

import yaml

WIDTH = 100
LONG_WORD = 15
NO_WIDTH = 10**9
TEMPLATE = re.compile(r"\{(?=[{%#])")


def literal(text: str) -> str:
    """A text of the source as dbt shows it: on one line, and with nothing that dbt would render."""
    shown = "".join(c if c.isprintable() or c.isspace() else " " for c in text)
    return TEMPLATE.sub('{{ "{" }}', " ".join(shown.split()))


class Flow(dict[str, Any]):
    """A mapping that stands in braces."""


class _Dumper(yaml.SafeDumper):
    """Indents lists, and writes a list of plain values in brackets."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def flow(self, values: Flow) -> yaml.Node:
        return self.represent_mapping("tag:yaml.org,2002:map", values, flow_style=True)

    def sequence(self, values: list[Any]) -> yaml.Node:
        is_plain = not any(isinstance(value, dict) for value in values)
        return self.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=is_plain)


_Dumper.add_representer(Flow, _Dumper.flow)
_Dumper.add_representer(list, _Dumper.sequence)


def lines_of(values: dict[str, Any], indent: int) -> list[str]:
    """The lines of a mapping, broken only if they would be too wide."""
    lines = _dumped(values, NO_WIDTH)
    if max(map(len, lines)) > WIDTH - indent:
        # a line is broken after the word that reaches the width
        lines = _dumped(values, WIDTH - indent - LONG_WORD)
    return [" " * indent + line for line in lines]


def _dumped(values: dict[str, Any], width: int) -> list[str]:
    dumped = yaml.dump(
        values,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=width,
        default_flow_style=False,
    )
    return list(dumped.splitlines())


def item(values: dict[str, Any], indent: int) -> list[str]:
    """The lines of a mapping that is an item of a list."""
    first, *others = lines_of(values, indent + 2)
    return [f"{' ' * indent}- {first.strip()}", *others]


def comment(text: str, indent: int) -> list[str]:
    """The lines of a comment."""
    start = " " * indent + "# "
    # a control character may stand in no YAML, not even in a comment
    shown = "".join(c if c.isprintable() else " " for c in text)
    return textwrap.wrap(shown, WIDTH, initial_indent=start, subsequent_indent=start)
