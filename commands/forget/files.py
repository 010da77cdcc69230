"""Masks personal values in the files that Tidemark and dbt have written: logs, and what is in out/.

A value is overwritten where it stands, by as many bytes, since other processes append to a log.
"""

import json
import re
from collections.abc import Collection, Iterator
from html import escape
from pathlib import Path

from common.log import LOG_FILE
from common.settings import DBT_PROJECT, PROJECT
from warehouse.parsing import target_folder

MASK = b"*"
OF_TARGET = ("compiled", "run")
RESULTS = "run_results.json"
"""What dbt writes anew whenever it runs, and reads only if it is asked for the last results."""


def mask_values(texts: Collection[str]) -> dict[Path, int]:
    """Overwrite the values; returns how many were found in which file."""
    if not texts:
        return {}
    # as JSON and HTML write them too
    written = {form for text in texts for form in (text, json.dumps(text)[1:-1], escape(text))}
    words = [re.escape(form.encode()) for form in sorted(written, key=len, reverse=True)]
    finder = re.compile(rb"(?<!\w)(?:" + b"|".join(words) + rb")(?!\w)")
    found = {path: _mask(path, finder) for path in _files()}
    return {path: number for path, number in found.items() if number}


def _files() -> Iterator[Path]:
    """The files that may quote a row; dbt's manifest does not, and a word less would spoil it."""
    target = target_folder(DBT_PROJECT)
    if (results := target / RESULTS).is_file():
        yield results
    folders = (LOG_FILE.parent, DBT_PROJECT / "logs", *(target / name for name in OF_TARGET))
    for folder in (*folders, PROJECT / "out"):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file() and not path.is_symlink():
                yield path


def _mask(path: Path, finder: re.Pattern[bytes]) -> int:
    with path.open("r+b") as file:
        matches = list(finder.finditer(file.read()))
        for match in matches:
            file.seek(match.start())
            file.write(MASK * len(match[0]))
    return len(matches)
