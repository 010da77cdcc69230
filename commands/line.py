"""The command line: the list of commands, and how their arguments are parsed.

Each command is the module of this package that has its name, with `_` for `-`. It is loaded only
when it is called, and it defines EXAMPLES, lines for its help; `add_options`, which adds its
options to a parser; and `call`, which runs it and returns the exit code.
"""

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple, NoReturn, Protocol, cast

from common.errors import UsageError
from common.suggestion import did_you_mean

PROGRAM = "python run.py"
RUN = "run"
"""The module that is called if no command is named."""

COMMANDS = {
    "env": "print export lines for both servers, for eval",
    "up": "start the embedded servers",
    "down": "stop the embedded servers",
    "status": "show marks, lag, the last runs and the last backup",
    "doctor": "check settings, servers, privileges, tables and disk",
    "plan": "show what a run would read and compare, without doing it",
    "declared": "print the tables that a run mirrors, one in a line",
    "changed": "print the dbt nodes that a run would build and test now",
    "verify": "compare every row of source and mirror, and test the history",
    "dashboard": "write the dashboard, a file that opens in any browser",
    "scaffold": "write declarations and stg models of a database of your own, from its schema",
    "events": "land files of change events in the mirror, for the next run to build from",
    "collections": "import collections of MongoDB, for the next run to build from",
    "publish": "bring chosen tables to ClickHouse, and prove that they are equal",
    "simulate": "write inserts, updates and deletes to the embedded operational database",
    "stream": "send and receive the stream of customers, by Kafka",
    "backup": "dump every layer under one snapshot, with a manifest",
    "restore": "restore a backup, all of it or some layers",
    "forget": "erase a person from every layer, the logs and the files",
    "export-subject": "write everything about a person as one JSON document",
    "purge": "delete what is older than its relation declares",
    "export": "write tables, or what changed of them, as files for other engines",
    "roles": "give each role of the warehouse its account and its privileges",
    "alert": "send a test alert, or check what is wrong and tell it",
    "record": "write a step of a scheduler into dwh.run_log",
    "completion": "print a script that completes the command line in your shell",
}
"""Each command and its help."""

EXIT_CODES = """\
exit codes:
  0 done, 1 something failed, 2 wrong usage or settings, 3 loaded but a data test failed,
  4 the delete guard refused, 75 another run holds the lock"""


class Command(Protocol):
    """The module of a command."""

    EXAMPLES: str

    def add_options(self, parser: argparse.ArgumentParser) -> None: ...

    def call(self, options: argparse.Namespace) -> int: ...


class Argument(NamedTuple):
    """An option of a command, or a positional argument, whose `option` is empty."""

    option: str
    help: str
    takes_value: bool
    choices: tuple[str, ...]


class Parser(argparse.ArgumentParser):
    """The parser of one command's arguments. Wrong arguments are reported as a UsageError."""

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The options that these arguments set. Raises UsageError."""
        for argument in arguments:
            # of this, argparse makes an empty list
            if argument.startswith("--") and argument.partition("=")[2] == "--":
                raise UsageError(argument[:-3], "expected one argument", self._help)
        try:
            options, unknown = self.parse_known_args(arguments)
        except argparse.ArgumentError as error:
            raise UsageError(error.argument_name or self.prog, error.message, self._help) from None
        if unknown:
            raise self._unknown(unknown[0], arguments)
        if options.verbose and getattr(options, "quiet", False):
            raise UsageError("--quiet", "contradicts --verbose", "Give one of the two.")
        return options

    def error(self, message: str) -> NoReturn:
        raise UsageError(self.prog, message, self._help)

    @property
    def arguments(self) -> list[Argument]:
        """The arguments of the command, in the order of the help."""
        return [
            Argument(
                next((name for name in action.option_strings if name.startswith("--")), ""),
                action.help or "",
                action.nargs != 0,
                tuple(action.choices or ()),
            )
            for action in self._actions
        ]

    def _unknown(self, argument: str, arguments: Sequence[str]) -> UsageError:
        if argument.startswith("-"):
            option = argument.partition("=")[0]
            options = [argument.option for argument in self.arguments]
            hint = did_you_mean(option, options) + self._help
            return UsageError(option, f"not an option of `{self.prog}`", hint)
        if self.prog == PROGRAM and argument in COMMANDS:
            others = " ".join(word for word in arguments if word != argument)
            hint = f"Write `{PROGRAM} {argument} {others}`."
            return UsageError(f"command {argument}", "must come before its options", hint)
        return UsageError(argument, f"`{self.prog}` takes no such argument", self._help)

    @property
    def _help(self) -> str:
        return f"`{self.prog} --help` shows its arguments."


def parse(
    arguments: Sequence[str],
) -> tuple[Callable[[argparse.Namespace], int], argparse.Namespace]:
    """The function that the arguments call, and its options. Raises UsageError."""
    name = command_of(arguments)
    if name != RUN or name in arguments[:1]:
        arguments = arguments[1:]
        if name not in COMMANDS:
            hint = f"{did_you_mean(name, COMMANDS)}`{PROGRAM} --help` lists the commands."
            raise UsageError(f"command {name}", "there is no such command", hint)
    return module_of(name).call, parser_of(name).parse(arguments)


def command_of(arguments: Sequence[str]) -> str:
    """The name of the command that the arguments call, which may not exist."""
    return arguments[0] if arguments and not arguments[0].startswith("-") else RUN


def module_of(name: str) -> Command:
    """The module of a command."""
    return cast(Command, import_module(f"commands.{name.replace('-', '_')}"))


def parser_of(name: str) -> Parser:
    """The parser of a command's options."""
    command = module_of(name)
    is_run = name == RUN
    parser = Parser(
        prog=PROGRAM if is_run else f"{PROGRAM} {name}",
        usage=f"{PROGRAM} [OPTION …]\n       {PROGRAM} COMMAND [OPTION …]" if is_run else None,
        description=command.__doc__ if is_run else f"{COMMANDS[name]}.".capitalize(),
        epilog="\n\n".join(_sections(is_run, command.EXAMPLES)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        exit_on_error=False,
    )
    command.add_options(parser)
    parser.add_argument(
        "--verbose", action="store_true", help="write the log to standard error too"
    )
    return parser


def _sections(is_run: bool, examples: str) -> list[str]:
    """The sections of the help below the options."""
    lines = "\n".join(f"  {line}" for line in examples.splitlines())
    sections = [f"examples:\n{lines}", EXIT_CODES]
    if is_run:
        listed = "\n".join(f"  {name:<16}{text}" for name, text in COMMANDS.items())
        more = f"  `{PROGRAM} COMMAND --help` shows the options of a command."
        sections.insert(0, f"commands:\n{listed}\n{more}")
    return sections
