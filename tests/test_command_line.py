"""The command line itself: its help, its mistakes, and what a shell completes of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import run
from commands.completion import SHELLS, script
from commands.line import COMMANDS, RUN, parser_of
from common.settings import PROJECT, read_settings
from common.version import own_version
from tests.support.command_line import DEMO

EVERY = [RUN, *COMMANDS]
POSITIONAL = {"events": "FILE", "scaffold": "DATABASE"}
"""The positional argument of a command that takes any value."""


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        ("statsu", "command statsu: there is no such command", "Did you mean status? "),
        ("up down", "down: `python run.py up` takes no such argument", "`python run.py up --help`"),
        ("--tabel x", "--tabel: not an option of `python run.py`", "Did you mean --table? "),
        ("plan --tabel=x", "--tabel: not an option of", "Did you mean --table? "),
        ("status --table x", "--table: not an option of `python run.py status`", "`python run.py"),
        ("--tab x", "--tab: not an option of `python run.py`", "Did you mean --table? "),
        ("--from dwh", "--from dwh: no such name", "It takes mrr, stg."),
        ("--until sgt", "--until sgt: no such name", "Did you mean stg? "),
        ("--from stg --until mrr", "--until mrr: contradicts --from stg", "nothing to do"),
        ("--from stg --full-refresh", "--full-refresh: contradicts --from stg", "Leave one out"),
        ("--until mrr --build all", "--build all: contradicts --until mrr", "Leave one out"),
        ("record --process run", "--process run: is a process of Tidemark itself", "as airflow"),
        ("record --process Air", "--process Air: not a name", "lower-case letters"),
        ("record --seconds 1e3", "--seconds 1e3: not a time", "such as 1.5"),
        ("record --status ok", "--status ok: no such name", "It takes success, warning"),
        ("--table x plan", "command plan: must come before its options", "run.py plan --table x`"),
        ("plan --table", "--table: expected one argument", "`python run.py plan --help`"),
        ("plan --table=--", "--table: expected one argument", "`python run.py plan --help`"),
        ("plan --full-refresh=1", "--full-refresh: ignored explicit argument", "`python run.py"),
        ("--table mrr_fact_sale", "table mrr_fact_sale: not declared", "mean mrr_fact_sales? "),
        ("plan --domain sale", "domain sale: not declared", "Did you mean sales? Declared: "),
        ("--accept-deletes MRR_X=1", "--accept-deletes MRR_X: not a table of", "Declared: "),
        ("--table MRR_FACT_SALES", "table MRR_FACT_SALES: not declared", "mean mrr_fact_sales? "),
        ("backup --list --verify", "backup --list: contradicts --verify", "Give one of the two."),
        ("backup --backup x", "--backup x: is for --verify alone", "Give --verify too, "),
        ("restore --layer dhw", "--layer dhw: no such name", "Did you mean dwh? "),
        ("simulate --operations -5", "--operations -5: not a count", "Give 1 or more."),
        ("simulate --size 5 --operations 5", "simulate --operations --size: each is", "one of"),
        ("simulate --hours", "simulate --domain sales --hours: only the domain media", "Give `"),
        ("simulate --hours --size 2", "simulate --size --hours: each is", "one of"),
        ("simulate --operations ²", "--operations ²: not a count", "Give 1 or more."),
        ("simulate --seed x", "--seed: invalid int value: 'x'", "`python run.py simulate --help`"),
        ("completion zhs", "shell zhs: no such name", "Did you mean zsh? "),
        ("completion", "completion: no shell is named", "Name one of bash, zsh, fish."),
        ("scaffold", "scaffold: no database is named", "as in `python run.py scaffold shop`."),
        ("scaffold s --source x", "--source x: has no settings", "Sources with a name: none."),
        ("scaffold 7up", "database 7up: makes no name for a domain", "single _: --domain"),
        ("scaffold s --domain common", '--domain common: the domain "common" is', "--domain NAME"),
        (f"scaffold {'s' * 21}", f"database {'s' * 21}: the domain", "Name another domain: "),
        ("scaffold {{s}}", "database {{s}}: cannot be declared", "templates are not rendered."),
        ("up --database mysql", "--database mysql: cannot be a database", "the server's own"),
        ("up --database a/b", "--database a/b: cannot be a database", "Give a name without /,"),
        ("events --topic t f.json", "--topic: contradicts files", "by a command of their own."),
        ("stream", "stream: says nothing of what to do", "Name one of produce, consume, replay."),
        ("stream consum", "stream consum: no such name", "Did you mean consume? "),
        ("stream consume --messages 5", "--messages: is for produce alone", "Leave it out, or"),
        ("stream replay --until-end", "--until-end: is for consume alone", "stream consume`."),
        ("events", "FILE: not given", "`python run.py events --help` has an example."),
        ("events run.py --table mrr_x", "table mrr_x: no events land in it", "Declared: none."),
        ("events run.py", "--table: not given, and events may land in 0", "Declared: none."),
        ("events x --form list", "--form list: no such name", "It takes lines, array."),
        ("events x.jsonl", "file x.jsonl: there is no such file", "Give the path of a file."),
        ("simulate --events x --size 3", "simulate --events: only single operations", "Leave out"),
        ("collections", "FILE: not given", "`python run.py collections --help` has an example."),
        ("collections x.jsonl", "file x.jsonl: there is no such file", "Give the path of a file."),
        ("collections run.py ./run.py", "file run.py: another file has this name", "Rename it:"),
        ("collections run.py", "--collection: not given, and 0 collections", "Declared: none."),
        ("collections run.py --collection x", "collection x: not declared", "Declared: none."),
        ("collections run.py --partial --accept-deletes x=1", "--accept-deletes: contr", "It del"),
        ("simulate --documents x --hours", "simulate --documents: only single", "Leave out"),
        ("publish --drop x --table y", "--drop: contradicts other options", "Give it without "),
        ("publish --drop dwh_fact_sales", "--drop dwh_fact_sales: is declared to", "Remove `pub"),
        ("doctor --quiet --verbose", "--quiet: contradicts --verbose", "Give one of the two."),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "",
)  # fmt: skip
def test_mistake_is_told_with_what_was_meant(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: str,
    problem: str,
    hint: str,
) -> None:
    # not the settings of whoever runs the tests
    monkeypatch.setattr(read_settings, "__defaults__", ({"DEMO_DOMAINS": DEMO}, tmp_path / ".env"))
    assert run.main(arguments.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    first, second = said.err.splitlines()
    assert first.startswith(problem)
    assert second.startswith("HINT: ")
    assert hint in second


def test_name_that_is_like_no_other_is_told_without_a_guess(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run.main(["xyz"]) == 2
    assert capsys.readouterr().err == (
        "command xyz: there is no such command\nHINT: `python run.py --help` lists the commands.\n"
    )


@pytest.mark.parametrize("name", EVERY)
def test_help_explains_each_option_and_gives_examples(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    parser = parser_of(name)
    with pytest.raises(SystemExit) as ended:
        run.main([*([] if name == RUN else [name]), "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for argument in parser.arguments:
        shown = argument.option or next(iter(argument.choices), POSITIONAL.get(name, ""))
        assert argument.help and shown in told
    examples = told.partition("\nexamples:\n")[2].partition("\n\n")[0]
    assert f"run.py{'' if name == RUN else f' {name}'}" in examples
    assert "exit codes:" in told


def test_help_of_the_whole_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["--help"])
    told = capsys.readouterr().out
    for name, text in COMMANDS.items():
        assert f"\n  {name:<16}{text}\n" in told


def test_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--version"]) == 0
    assert capsys.readouterr().out == f"tidemark {own_version()}\n"


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        ("--help", {"dataclasses", "psycopg2", "pymysql", "rich", "yaml", "extract", "embedded"}),
        ("--version", {"psycopg2", "pymysql", "rich", "yaml", "extract", "embedded"}),
        ("completion bash", {"dlt", "dbt", "sqlalchemy"}),
        ("verify --help", {"dlt", "dbt", "sqlalchemy"}),
    ],
)
def test_command_loads_only_what_it_needs(arguments: str, unneeded: set[str]) -> None:
    code = (
        "import sys, run\n"
        f"try: run.main({arguments.split()!r})\n"
        "except SystemExit: pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout
    assert not unneeded & set(done.stderr.split())


@pytest.mark.parametrize("shell", SHELLS)
def test_script_of_a_shell_names_every_command_and_option(shell: str) -> None:
    text = script(shell)
    for name in EVERY:
        assert name in text
        for argument in parser_of(name).arguments:
            option = argument.option
            written = f"-l {option[2:]} " if option and shell == "fish" else option
            assert written in text


COMPLETED = {
    "pl": "plan",
    "": f"{' '.join(COMMANDS)} --help",
    "--acc": "--accept-deletes --accept-source",
    "--domain sales --full": "--full-refresh",
    "verify --re": "--repair",
    "status --t": "",
    "restore --layer ": "mrr stg dwh",
    "restore --layer mrr --layer d": "dwh",
    "plan --table ": "",
    "completion f": "fish",
}
"""What is typed behind `./run.py`, and words that complete it; nothing, where none does."""
BASH = """
source "$0"
COMP_WORDS=(./run.py "$@")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_tidemark
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() { [[ "$1 $2" == "_tidemark run.py" ]] }
compadd() { shift; print -l -- "$@" }
source "$0" || exit 1
words=(./run.py "$@")
CURRENT=$#words
_tidemark
"""
FISH = """
source $argv[1]
complete -C "./run.py $argv[2]"
"""


def completions(shell: str, typed: str, folder: Path) -> list[str]:
    """What a shell that has read its script offers."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    file = folder / f"completion.{shell}"
    file.write_text(script(shell), "utf-8")
    command = {
        "bash": ["bash", "-c", BASH, str(file), *typed.split(" ")],
        "zsh": ["zsh", "-fc", ZSH, str(file), *typed.split(" ")],
        "fish": ["fish", "--no-config", "-c", FISH, str(file), typed],
    }[shell]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT)
    assert done.stderr == ""
    offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
    # zsh itself leaves out what does not begin with the word
    return [word for word in offered if word.startswith(typed.split(" ")[-1]) and word]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("typed", COMPLETED, ids=lambda typed: typed or "nothing yet")
def test_shell_completes(shell: str, typed: str, tmp_path: Path) -> None:
    found = completions(shell, typed, tmp_path)
    wanted = COMPLETED[typed].split()
    if typed == "" and shell == "fish":
        wanted.remove("--help")  # it offers options where one is begun
    if typed == "":
        assert set(wanted) <= set(found)
    else:
        assert sorted(found) == sorted(wanted)
