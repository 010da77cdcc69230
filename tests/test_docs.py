"""The documents say what the code does: commands, settings, exit codes, links, paths, version."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.line import COMMANDS, RUN, parse, parser_of
from commands.run.metrics import FAMILIES
from common.errors import ExitCode
from common.settings import DBT_PROJECT, PROJECT, SETTINGS
from docs import generate_json, generate_register, generate_types
from extract.mysql.types import RULE_OF
from tests.support.project_files import FILES, relative

README = (PROJECT / "README.md").read_text(encoding="utf-8")
PAGES = [path for path in FILES if path.suffix == ".md" and "dbt_project" not in path.parts]
LINK = re.compile(r"(?:\[[^\]]*\]\(|\b(?:src|srcset)=\")([^)\"\s]+)[)\"]")
GUARANTEES = (PROJECT / "docs" / "guarantees.md").read_text(encoding="utf-8")
PROMISES = dict(re.findall(r"^### (.+)\n([^#]+)", GUARANTEES, re.MULTILINE))


def rows_of_table(heading: str) -> list[list[str]]:
    """The cells of the tables below a heading of the README, without their heads."""
    section = README.split(f"\n{heading}\n", 1)[1]
    section = re.split(r"\n#+ ", section, maxsplit=1)[0]
    body = re.sub(r"^\|.+\n\|[ |-]+\|$", "", section, flags=re.MULTILINE)
    rows = [line.strip("|").split("|") for line in body.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows]


@pytest.mark.parametrize("name", [RUN, *COMMANDS])
def test_command_and_its_options_stand_in_the_readme(name: str) -> None:
    rows = {row[0]: " ".join(row) for row in rows_of_table("### Commands")}
    parser = parser_of(name)
    assert f"`{parser.prog}`" in rows
    options = {argument.option for argument in parser.arguments} - {""}
    told = set(re.findall(r"--[a-z-]+", rows[f"`{parser.prog}`"]))
    assert told | {"--help", "--verbose"} == options


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_command_line_of_a_page_is_one_that_runs(page: Path) -> None:
    for arguments in re.findall(r"run\.py((?: [\w.=-]+)*)", page.read_text(encoding="utf-8")):
        parse(arguments.split())


def test_settings_of_the_readme_are_the_settings() -> None:
    named = [row[0].strip("`") for row in rows_of_table("### Settings")]
    assert named == list(SETTINGS)


def test_exit_codes_of_the_readme_are_the_exit_codes() -> None:
    named = [int(row[0]) for row in rows_of_table("### Exit codes")]
    assert named == list(ExitCode)


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_link_of_a_page_leads_to_a_file(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            linked = (page.parent / path) if path else page
            assert linked.exists(), target
            assert not anchor or anchor in anchors(linked), target


def anchors(page: Path) -> Iterator[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        yield re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_path_of_the_readme_tree_exists() -> None:
    tree = re.search(r"```\n(run\.py.+?)```", README, re.DOTALL)
    assert tree
    paths = [name for line in tree[1].splitlines() for name in re.split(r"\s{2,}", line)[0].split()]
    assert len(paths) > 10
    for path in paths:
        assert (PROJECT / path).exists(), path


@pytest.mark.parametrize("heading", ["Installation", "Execution"])
def test_readme_has_the_heading(heading: str) -> None:
    assert re.search(rf"^#+ {heading}$", README, re.MULTILINE)


def test_changelog_has_the_version() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## {version}\n" in (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_decision_is_numbered_without_a_gap_and_has_its_four_parts() -> None:
    decisions = sorted((PROJECT / "docs" / "decisions").glob("*.md"))
    for number, path in enumerate(decisions, start=1):
        assert path.name.startswith(f"{number:04}-")
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. ")
        for part in ("Context", "Choice", "Cost", "What would change our mind"):
            assert f"\n**{part}.** " in text, f"{relative(path)}: {part}"


@pytest.mark.parametrize("promise", PROMISES)
def test_promise_names_tests_that_exist(promise: str) -> None:
    _, _, named = PROMISES[promise].partition("\nTests: ")
    names = re.findall(r"`(\w+)`", named)
    assert names
    assert set(names) <= set(names_of_tests())


def names_of_tests() -> Iterator[str]:
    """Every test of pytest and of dbt."""
    for path in FILES:
        if path.name.startswith("test_"):
            yield from re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
        elif path.is_relative_to(DBT_PROJECT / "tests"):
            yield path.stem
        elif path.is_relative_to(DBT_PROJECT) and path.suffix == ".yml":
            yield from re.findall(r"- name: (assert_\w+)", path.read_text("utf-8"))


def test_every_promise_is_found() -> None:
    """A heading that the pattern does not see would promise without a test."""
    promised = GUARANTEES.split("\n## What is promised\n")[1].split("\n## ")[0]
    assert promised.count("\n### ") == promised.count("\nTests: ") == len(PROMISES)


def test_page_of_types_is_up_to_date() -> None:
    """`python -m docs.generate_types` writes it."""
    assert generate_types.PAGE.read_text(encoding="utf-8") == generate_types.page()


def test_register_of_processing_is_up_to_date() -> None:
    text = generate_register.PAGE.read_text(encoding="utf-8")
    assert text == generate_register.page(), "python -m docs.generate_register"
    assert "`mrr.mrr_dim_ecommerce_customers`" in text and "a keyed hash" in text


def test_page_of_json_is_up_to_date() -> None:
    """`python -m docs.generate_json` writes it."""
    assert generate_json.PAGE.read_text(encoding="utf-8") == generate_json.page()


def test_page_of_monitoring_has_every_metric_and_its_meaning() -> None:
    page = (PROJECT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(tidemark_\w+)` \|[^|]*\| (.+) \|$", page, re.MULTILINE))
    assert told == FAMILIES


def test_page_of_types_has_every_type() -> None:
    headings = re.findall(r"^## (.+)$", generate_types.page(), re.MULTILINE)
    named = [name for heading in headings for name in heading.lower().split(", ")]
    assert named == list(RULE_OF)
