#!/usr/bin/env python3
"""The command line: continues in the Python of `.venv`, and runs one command."""

from __future__ import annotations  # an older Python may start it, and continues in .venv

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
VENV_PYTHON = PROJECT / ".venv" / "bin" / "python"


def main(arguments: list[str]) -> int:
    """Run one command; returns its exit code."""
    from commands.line import parse
    from common.errors import TidemarkError
    from common.stopping import Stopped

    try:
        call, options = parse(arguments)
        if options.verbose:
            from common.log import show_log

            show_log()
        return int(call(options))
    except TidemarkError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    except ImportError as error:
        print(f"package {error.name}: cannot be loaded ({error})", file=sys.stderr)
        print("HINT: Install it with `make .venv`.", file=sys.stderr)
        return 1
    except Exception as error:
        from commands.failures import as_command_error

        failure = as_command_error(error)
        print(failure, file=sys.stderr)
        return int(failure.exit_code)
    except Stopped as stop:
        print(f"{stop}\nHINT: The next run continues where this one stopped.", file=sys.stderr)
        return int(stop.exit_code)


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
