"""Options that several commands take."""

import argparse
from collections.abc import Callable, Iterable

from common.errors import UsageError
from common.suggestion import did_you_mean
from json_files.files import Form


def add_choice(parser: argparse.ArgumentParser) -> None:
    """The options that restrict a command to some of the declared tables."""
    parser.add_argument("--domain", metavar="NAME", help="only this domain")
    parser.add_argument("--table", metavar="NAME", help="only this table, such as mrr_fact_sales")


def add_full_refresh(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--full-refresh", action="store_true", help=text)


def add_accept_deletes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--accept-deletes",
        action="append",
        default=[],
        type=_table_and_count,
        metavar="TABLE=COUNT",
        help="let exactly this many deletes pass the guard, once; repeatable",
    )


def add_quiet(parser: argparse.ArgumentParser, text: str) -> None:
    """The option that reduces the output of a command; `text` is what it still shows."""
    parser.add_argument("--quiet", action="store_true", help=f"show {text}")


def add_form(parser: argparse.ArgumentParser, texts: str, array: str) -> None:
    """The option that says how files of JSON hold their texts, such as events."""
    forms = [form.value for form in Form]
    parser.add_argument(
        "--form",
        choices=forms,
        type=one_of("--form", forms),
        metavar="FORM",
        help=f"how each file holds its {texts}: lines (one in each) or array ({array});"
        " default: as its first character says",
    )


def add_subject(parser: argparse.ArgumentParser) -> None:
    """The option that names a person."""
    parser.add_argument(
        "--subject",
        metavar="KIND:KEY",
        default="",
        help="the kind of person, and the person's key at the source",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json",
        action="store_true",
        help="write the result as one line of JSON to standard output (docs/json.md)",
    )


def count(option: str) -> Callable[[str], int]:
    """The type of an option that is a count. Raises UsageError."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise UsageError(f"{option} {text}", "not a count", "Give 1 or more.")
        return int(text)

    return read


def one_of(option: str, known: Iterable[str]) -> Callable[[str], str]:
    """The type of an option that names one of several things. Raises UsageError."""

    def read(text: str) -> str:
        names = list(known)
        if text not in names:
            hint = f"{did_you_mean(text, names)}It takes {', '.join(names)}."
            raise UsageError(f"{option} {text}".strip(), "no such name", hint)
        return text

    return read


def _table_and_count(text: str) -> tuple[str, int]:
    table, separator, number = text.partition("=")
    if not separator or not number.isascii() or not number.isdigit():
        raise UsageError(
            f"--accept-deletes {text}",
            "not TABLE=COUNT",
            "Give the name of the mirrored table and the exact count from the refusal.",
        )
    return table, int(number)
