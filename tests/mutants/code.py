"""The modules and macros of a checkout, and where each definition stands in them."""

import ast
import re
from collections.abc import Iterator
from io import StringIO
from itertools import accumulate
from pathlib import Path

NOT_MUTATED = {"bench", "tests"}


class Code:
    """The text of every module of the project's packages, with the spans of its definitions.

    A macro of dbt is one definition, by the name of its file below `macros`, with its folder.
    """

    def __init__(self, folder: Path) -> None:
        packages = [
            path.parent
            for path in folder.glob("*/__init__.py")
            if path.parent.name not in NOT_MUTATED
        ]
        modules = [folder / "run.py", *(path for root in packages for path in root.rglob("*.py"))]
        self.texts = {path: path.read_text(encoding="utf-8") for path in modules}
        self._spans: dict[str, list[tuple[Path, int, int]]] = {}
        for path, text in self.texts.items():
            lines = [0, *accumulate(len(line) for line in StringIO(text))]
            for name, node in _definitions(ast.parse(text)):
                span = (path, lines[_first_line(node) - 1], lines[node.end_lineno or 0])
                self._spans.setdefault(name, []).append(span)

        macros = folder / "dbt_project" / "macros"
        for path in macros.rglob("*.sql"):
            self.texts[path] = path.read_text(encoding="utf-8")
            name = path.relative_to(macros).with_suffix("").as_posix()
            self._spans[name] = [(path, 0, len(self.texts[path]))]

    def find(self, definition: str, text: str) -> Iterator[tuple[Path, int]]:
        """Where a text stands in the definitions of a name: module and position."""
        for path, start, end in self._spans.get(definition, ()):
            for found in re.finditer(re.escape(text), self.texts[path][start:end]):
                yield path, start + found.start()


def _definitions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """The functions, classes and constants below a node, by their qualified names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield prefix + child.name, child
            yield from _definitions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.Assign | ast.AnnAssign) and not prefix:
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            yield from ((name.id, child) for name in targets if isinstance(name, ast.Name))


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
