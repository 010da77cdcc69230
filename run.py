#!/usr/bin/env python3
"""The command line: continues in the Python of `.venv`, and runs one command."""

from __future__ import annotations  # an older Python may start it, and continues in .venv

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from common.errors import TidemarkError

PROJECT = Path(__file__).resolve().parent
VENV_PYTHON = PROJECT / ".venv" / "bin" / "python"


def main(arguments: list[str]) -> int:
    """Run one command; returns its exit code."""
    from commands.line import parse
    from common.errors import TidemarkError
    from common.stopping import Stopped

    try:
        call, options = parse(arguments)
        _show_log(options)
        return int(call(options))
    except TidemarkError as error:
        return _fail(error, arguments)
    except ImportError as error:
        problem, hint = f"cannot be loaded ({error})", "Install it with `make .venv`."
        return _fail(TidemarkError(f"package {error.name}", problem, hint), arguments)
    except Exception as error:
        from commands.failures import as_command_error

        return _fail(as_command_error(error), arguments)
    except Stopped as stop:
        hint = "The next run continues where this one stopped."
        return _fail(f"{stop}\nHINT: {hint}", arguments, stop.exit_code)


def _show_log(options: argparse.Namespace) -> None:
    """Write the log to standard error too, if an option or a setting says so."""
    import logging

    from common.log import is_json, show_log

    if options.verbose or is_json():
        is_quiet = getattr(options, "quiet", False)
        show_log(logging.WARNING if is_quiet else logging.INFO)


def _fail(failure: TidemarkError | str, arguments: list[str], exit_code: int = 0) -> int:
    """Report an error that ends the command; returns its exit code."""
    from commands.telling import tell

    code = exit_code or getattr(failure, "exit_code", 1)
    if "--json" in arguments:
        from commands.documents.document import Document, Failure, has_document, write_document
        from commands.line import command_of

        command = command_of(arguments)
        if has_document(command):
            write_document(Document(command, int(code), None, [Failure.of(failure)]))
    tell(failure)
    return int(code)


def _use_venv() -> None:
    """Continue in the Python of `.venv`, or report how to create it."""
    if Path(sys.prefix).resolve() == (PROJECT / ".venv").resolve():
        return
    problem, remedy = "missing", "Create it with `make .venv`."
    try:
        if VENV_PYTHON.exists():
            os.execv(str(VENV_PYTHON), [str(VENV_PYTHON), __file__, *sys.argv[1:]])
    except OSError as error:
        problem = f"{error.strerror}: {error.filename or VENV_PYTHON}"
        remedy = "Use a checkout of your own, or run `make .venv` again."
    print(f".venv: {problem}\nHINT: {remedy}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    _use_venv()
    from common.stopping import stop_on_signals
    from common.streams import prepare_streams

    prepare_streams()
    stop_on_signals()
    raise SystemExit(main(sys.argv[1:]))
