"""Masks personal values in the files that Tidemark and dbt have written: logs, and what is in out/.

A value is overwritten where it stands, by as many bytes, since other processes append to a log.
"""

import json
import os
import re
from collections.abc import Collection, Iterator, Sequence
from html import escape
from pathlib import Path

from common.errors import TidemarkError
from common.log import LOG_FILE
from common.settings import DBT_PROJECT, PROJECT
from warehouse.parsing import target_folder

MASK = b"*"
OF_TARGET = ("compiled", "run")
RESULTS = "run_results.json"
"""What dbt writes anew whenever it runs, and reads only if it is asked for the last results."""


class FilesNotMasked(TidemarkError):
    """Files have values of the person, or may have, and cannot be changed."""

    def __init__(self, errors: Sequence[OSError]) -> None:
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        super().__init__(
            str(errors[0].filename),
            f"{(errors[0].strerror or type(errors[0]).__name__).lower()}{more}",
            "Nothing was erased from the warehouse. Let this account read and write the file, or"
            " remove it, then repeat the command.",
        )


def mask_values(texts: Collection[str]) -> dict[Path, int]:
    """Overwrite the values; returns how many were found in which file.

    Raises FilesNotMasked when every file that can be changed is: a repetition finds the rest.
    """
    if not texts:
        return {}
    written = {form for text in texts for form in _forms(text)}
    words = [re.escape(form.encode()) for form in sorted(written, key=len, reverse=True)]
    finder = re.compile(rb"(?<!\w)(?:" + b"|".join(words) + rb")(?!\w)")
    found, errors = {}, []
    for path in _files():
        try:
            found[path] = _mask(path, finder)
        except FileNotFoundError:
            pass  # a log that was rotated away, or a file of a build
        except OSError as error:
            errors.append(error)
    if errors:
        raise FilesNotMasked(errors)
    return {path: number for path, number in found.items() if number}


def _forms(text: str) -> tuple[str, ...]:
    """A value as it is, and as JSON, HTML and SQL write it."""
    as_json = (json.dumps(text, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))
    return text, *as_json, escape(text), text.replace("'", "''")


def _files() -> Iterator[Path]:
    """The files that may quote a row; dbt's manifest does not, and a word less would spoil it."""
    target = target_folder(DBT_PROJECT)
    if (results := target / RESULTS).is_file():
        yield results
    logs = Path(os.environ.get("DBT_LOG_PATH") or DBT_PROJECT / "logs")
    folders = (LOG_FILE.parent, logs, *(target / name for name in OF_TARGET))
    for folder in (*folders, PROJECT / "out"):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file() and not path.is_symlink():
                yield path


def _mask(path: Path, finder: re.Pattern[bytes]) -> int:
    try:
        file = path.open("r+b")
    except OSError:
        # it may stay as it is if it does not have the person
        if finder.search(path.read_bytes()):
            raise
        return 0
    with file:
        matches = list(finder.finditer(file.read()))
        for match in matches:
            file.seek(match.start())
            file.write(MASK * len(match[0]))
    return len(matches)
