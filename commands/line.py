"""The command line: which commands there are, and how the arguments of one are read.

A command is a module of this package with its name, loaded when it is called. It has EXAMPLES,
lines for its help; `add_options`, which adds its own options to a parser; and `call`, which does
its work and returns the exit code.
"""

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple, NoReturn, Protocol, cast

from common.errors import UsageError
from common.suggestion import did_you_mean

PROGRAM = "python run.py"
RUN = "run"
"""The module of what is done where no command is named."""

COMMANDS = {
    "env": "print export lines for both servers, for eval",
    "up": "start the embedded servers",
    "down": "stop the embedded servers",
    "status": "show marks, lag, the last runs and the last backup",
    "doctor": "check settings, servers, privileges, tables and disk",
    "plan": "show what a run would do, without doing it",
    "verify": "compare every row of source and mirror",
    "simulate": "write inserts, updates and deletes to the embedded operational database",
    "backup": "dump every layer under one snapshot, with a manifest",
    "restore": "bring a backup back",
    "completion": "print a script that completes the command line in your shell",
}
"""Each command, and what it does."""

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
    """What a command takes: an option, or a word of its own, whose `option` is empty."""

    option: str
    help: str
    takes_value: bool
    choices: tuple[str, ...]


class Parser(argparse.ArgumentParser):
    """The options of one command. What is wrong with its arguments is a UsageError."""

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The options that the arguments give."""
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
        """What the command takes, in the order of the help."""
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
            return UsageError(f"command {argument}", "stands behind its options", hint)
        return UsageError(argument, f"`{self.prog}` takes no such argument", self._help)

    @property
    def _help(self) -> str:
        return f"`{self.prog} --help` shows what it takes."


def parse(
    arguments: Sequence[str],
) -> tuple[Callable[[argparse.Namespace], int], argparse.Namespace]:
    """What the arguments call, and its options. Raises UsageError."""
    name = RUN
    if arguments and not arguments[0].startswith("-"):
        name, arguments = arguments[0], arguments[1:]
        if name not in COMMANDS:
            hint = f"{did_you_mean(name, COMMANDS)}`{PROGRAM} --help` lists the commands."
            raise UsageError(f"command {name}", "there is no such command", hint)
    return module_of(name).call, parser_of(name).parse(arguments)


def module_of(name: str) -> Command:
    """The module of a command."""
    return cast(Command, import_module(f"commands.{name}"))


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
        "--verbose", action="store_true", help="write the log on the error stream too, as it grows"
    )
    return parser


def _sections(is_run: bool, examples: str) -> list[str]:
    """What the help says below the options."""
    lines = "\n".join(f"  {line}" for line in examples.splitlines())
    sections = [f"examples:\n{lines}", EXIT_CODES]
    if is_run:
        listed = "\n".join(f"  {name:<12}{text}" for name, text in COMMANDS.items())
        more = f"  `{PROGRAM} COMMAND --help` shows the options of one."
        sections.insert(0, f"commands:\n{listed}\n{more}")
    return sections
