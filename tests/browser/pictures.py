"""Takes the pictures of `docs/images/`: `make pictures`. Nothing is drawn by hand."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

import embedded
from common.settings import PROJECT
from operational.simulate import simulate
from tests.browser.checks import choose
from tests.browser.conftest import SEED, run
from tests.browser.terminal import COLUMNS, terminal
from tests.support.command_line import CommandLine

IMAGES = PROJECT / "docs" / "images"
MOST_BYTES = 300_000
A4 = {"width": 794, "height": 1123}
"""In CSS pixels."""
SHOTS: dict[str, dict[str, Any]] = {
    "dashboard": {"viewport": {"width": 1280, "height": 1180}},
    "dashboard_dark": {"viewport": {"width": 1280, "height": 1180}, "color_scheme": "dark"},
    "dashboard_phone": {"viewport": {"width": 390, "height": 1180}, "device_scale_factor": 1.5},
    "dashboard_print": {"viewport": A4},
}


@pytest.mark.parametrize("name", SHOTS)
def test_picture_of_the_dashboard(name: str, lived: CommandLine, browser: Browser) -> None:
    context = browser.new_context(**SHOTS[name])
    page = context.new_page()
    page.goto((lived.folder / "out" / "dashboard.html").as_uri())
    choose(page, "period-year")
    choose(page, page.get_by_role("radio", name="Web shop").get_attribute("id") or "")
    page.evaluate("document.activeElement.blur()")
    if name == "dashboard_print":
        page.emulate_media(media="print")
        page.add_style_tag(content="body { padding: 1cm; }")  # the margins of a printer
    keep(name, page.screenshot())
    context.close()


def test_picture_of_a_run(lived: CommandLine, servers: embedded.Servers) -> None:
    for domain in ("ecommerce", "ewallet", "sales"):
        simulate(servers, 50, SEED + 1, domain)
    lived.environment["COLUMNS"] = str(COLUMNS)
    said = run(lived)
    (IMAGES / "run.svg").write_text(terminal("python3 run.py", said), encoding="utf-8")


def keep(name: str, picture: bytes) -> None:
    assert len(picture) <= MOST_BYTES, name
    Path(IMAGES / f"{name}.png").write_bytes(picture)
