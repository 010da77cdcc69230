"""`completion`: a script with which a shell completes commands, options and their values."""

import argparse
from collections.abc import Iterator

from commands.line import COMMANDS, RUN, Argument, parser_of
from commands.options import one_of
from common.errors import ExitCode, UsageError

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "run.py"
EXAMPLES = """\
source <(./run.py completion bash)               or zsh; permanently: in ~/.bashrc, ~/.zshrc
./run.py completion fish | source                permanently: in ~/.config/fish/config.fish
the shell then completes ./run.py"""

# one function for both shells; $1 is the position of the word, $2 the first word, $3 the one before
WORDS = """\
_tidemark_words() {
    local command=run
    case $2 in
        %(commands)s) [ "$1" -gt 1 ] && command=$2 ;;
    esac
    case "$command $3" in
%(cases)s
    esac
}
"""
BASH = """\
_tidemark() {
    local words
    words=$(_tidemark_words "$COMP_CWORD" "${COMP_WORDS[1]}" "${COMP_WORDS[COMP_CWORD-1]}")
    COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _tidemark %(program)s
"""
ZSH = """\
_tidemark() {
    compadd -- $(_tidemark_words $((CURRENT - 1)) "$words[2]" "$words[CURRENT-1]")
}
compdef _tidemark %(program)s
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "shell",
        nargs="?",
        choices=SHELLS,
        type=one_of("shell", SHELLS),
        help="the shell that the script is for",
    )


def call(options: argparse.Namespace) -> int:
    if options.shell is None:
        raise UsageError("completion", "no shell is named", f"Name one of {', '.join(SHELLS)}.")
    print(script(options.shell), end="")
    return ExitCode.DONE


def script(shell: str) -> str:
    """The script for a shell, generated from the options of each command."""
    if shell == "fish":
        return "".join(f"{line}\n" for line in _fish())
    words = WORDS % {
        "commands": " | ".join(COMMANDS),
        "cases": "\n".join(f"        {case}" for case in _cases()),
    }
    return words + {"bash": BASH, "zsh": ZSH}[shell] % {"program": PROGRAM}


def _cases() -> Iterator[str]:
    """The words that may follow an option of a command, and those that may follow anything else."""
    for name in (RUN, *COMMANDS):
        arguments = parser_of(name).arguments
        for argument in arguments:
            if argument.option and argument.takes_value:
                values = f'echo "{" ".join(argument.choices)}" ' if argument.choices else ""
                yield f'"{name} {argument.option}") {values};;'
        words = [argument.option or " ".join(argument.choices) for argument in arguments]
        first = f'; [ "$1" -gt 1 ] || echo "{" ".join(COMMANDS)}"' if name == RUN else ""
        yield f'"{name} "*) echo "{" ".join(words)}"{first} ;;'


def _fish() -> Iterator[str]:
    begin = f"complete -c {PROGRAM}"
    seen = "__fish_seen_subcommand_from"
    yield f"{begin} -f"
    for name, text in COMMANDS.items():
        first = "test (count (commandline -opc)) -eq 1"
        yield f"{begin} -n {_quoted(first)} -a {name} -d {_quoted(text)}"
    for name in (RUN, *COMMANDS):
        condition = f"not {seen} {' '.join(COMMANDS)}" if name == RUN else f"{seen} {name}"
        for argument in parser_of(name).arguments:
            if argument.option or argument.choices:
                yield f"{begin} -n {_quoted(condition)} {_fish_argument(argument)}"


def _fish_argument(argument: Argument) -> str:
    parts = [f"-l {argument.option.removeprefix('--')}"] if argument.option else []
    parts += ["-x"] if argument.option and argument.takes_value else []
    parts += [f"-a {_quoted(' '.join(argument.choices))}"] if argument.choices else []
    return " ".join([*parts, f"-d {_quoted(argument.help)}"])


def _quoted(text: str) -> str:
    """Quoted for fish: in single quotes, where a backslash escapes itself and the quote."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
