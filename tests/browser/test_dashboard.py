"""The dashboard in a browser: each check holds, and fails where the page is broken."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser import checks
from tests.browser.checks import CHECKS
from tests.browser.documents import Document

BROKEN: dict[str, tuple[Callable[[Document], None], str, str]] = {
    "an error": (
        checks.complains_of_nothing_and_asks_for_nothing,
        "</body>",
        "<script>throw Error('broken')</script></body>",
    ),
    "a request": (
        checks.complains_of_nothing_and_asks_for_nothing,
        "</body>",
        '<img alt="" src="elsewhere.png"></body>',
    ),
    "bars without height": (
        checks.every_chart_has_marks_as_long_as_its_values,
        "</style>",
        ".columns .mark { height: auto !important; }</style>",
    ),
    "no marks": (
        checks.every_chart_has_marks_as_long_as_its_values,
        'class="mark"',
        'class="make"',
    ),
    "pale bars": (
        checks.marks_stand_out,
        "</style>",
        ".mark { opacity: 1; background: #ddd; }</style>",
    ),
    "periods not hidden": (checks.filters_work_by_click, ".view:not(", ".none:not("),
    "subjects not hidden": (checks.filters_work_by_keyboard, ".page:not(", ".none:not("),
    "no way for the keyboard": (
        checks.filters_work_by_keyboard,
        '<input type="radio"',
        '<input tabindex="-1" type="radio"',
    ),
    "words by script": (
        checks.works_without_script,
        "</body>",
        "<p id=x></p><script>x.innerText = 'more'</script></body>",
    ),
    "pale words": (
        checks.keeps_the_rules_of_accessibility,
        "</style>",
        ".of { color: #999; }</style>",
    ),
    "pale words in the dark": (
        checks.keeps_the_rules_of_accessibility,
        "</style>",
        "@media (prefers-color-scheme: dark) { .of { color: #555; } }</style>",
    ),
    "no language": (checks.keeps_the_rules_of_accessibility, 'lang="en"', ""),
    "no title": (checks.keeps_the_rules_of_accessibility, "<title>", "<title></title><p hidden>"),
    "a control without a name": (checks.keeps_the_rules_of_accessibility, "<form", "<input><form"),
    "a heading left out": (checks.keeps_the_rules_of_accessibility, "<h2 ", "<h5 "),
    "a picture without words": (
        checks.keeps_the_rules_of_accessibility,
        "</main>",
        '<img src="data:,"></main>',
    ),
    "no outline": (checks.focus_is_seen, "</style>", "* { outline: none !important; }</style>"),
    "too wide": (
        checks.nothing_is_cut_off,
        "</main>",
        "<p style='min-width:400px'>wide</p></main>",
    ),
    "a word out of its box": (
        checks.nothing_is_cut_off,
        "</style>",
        "* { overflow-wrap: normal !important; } body { overflow-x: hidden; }</style>",
    ),
    "words cut off": (
        checks.nothing_is_cut_off,
        "</style>",
        "h3 { white-space: nowrap; overflow: hidden; }</style>",
    ),
    "charts not on paper": (
        checks.paper_shows_all_but_the_controls,
        "</style>",
        "@media print { figure { display: none; } }</style>",
    ),
    "controls on paper": (checks.paper_shows_all_but_the_controls, "form, summary {", "x {"),
    "no numbers on paper": (
        checks.paper_shows_all_but_the_controls,
        "details::details-content {",
        "x {",
    ),
}
"""Which check notices it, and what is replaced by what in the page of bad days."""


@pytest.mark.parametrize("page", ["of a run", "of bad days"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_dashboard(
    check: Callable[[Document], None], page: str, opened: Callable[[str], Document]
) -> None:
    check(opened(page))


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_dashboard_is_noticed(
    broken: str, opened: Callable[[str], Document], tmp_path: Path
) -> None:
    check, before, after = BROKEN[broken]
    whole = opened("of bad days")
    html = whole.file.read_text(encoding="utf-8")
    assert before in html
    file = tmp_path / "broken.html"
    file.write_text(html.replace(before, after), encoding="utf-8")
    with pytest.raises(AssertionError):
        check(Document(whole.browser, file))


def test_every_check_was_seen_to_fail() -> None:
    assert {check for check, _, _ in BROKEN.values()} == set(CHECKS)
