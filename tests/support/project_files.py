"""The files of the project, for tests that read them."""

import re
from pathlib import Path

from common.settings import PROJECT

NOT_OURS = {"__pycache__", "target", "logs", "out"}
PICTURES = {".png"}
HIDDEN = {".ci", ".github"}
"""The hidden folders that belong to the project."""


def project_files() -> list[Path]:
    """Every text file of the project, hidden folders and what is generated left out."""
    return sorted(path for path in PROJECT.iterdir() if path.is_file() and path.name != ".env") + [
        path
        for folder in sorted(PROJECT.iterdir())
        if folder.is_dir() and (not folder.name.startswith(".") or folder.name in HIDDEN)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix not in PICTURES
        and not NOT_OURS & set(path.relative_to(PROJECT).parts)
    ]


FILES = project_files()
OF_PAGE = re.compile(
    r"^`((?:models|snapshots)/[^`]+)` (?:(?!\n\n).)*\n\n```\w+\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
"""A file that a page shows: a paragraph that begins with its path, and the file."""


def write_files_of(page: str, project: Path) -> list[str]:
    """Write the files that a page of `docs` shows into a dbt project; gives their paths there."""
    files = OF_PAGE.findall((PROJECT / "docs" / page).read_text(encoding="utf-8"))
    for name, text in files:
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return [name for name, _ in files]


def relative(path: Path) -> str:
    return str(path.relative_to(PROJECT))
