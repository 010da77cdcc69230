"""A file in a browser, as a person opens it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, Request

DESKTOP, PHONE, NARROWEST = 1280, 360, 320
"""Widths in CSS pixels; the narrowest is that of a zoom by four, which WCAG asks for."""


@dataclass(frozen=True)
class Document:
    """A file, and the browser that opens it, each time in a profile of its own."""

    browser: Browser
    file: Path

    @contextmanager
    def open(
        self,
        width: int = DESKTOP,
        scheme: str = "light",
        media: str = "screen",
        script: bool = True,
        heard: list[str] | None = None,
    ) -> Iterator[Page]:
        """The file in a window; `heard` is told what it complains of and asks for."""
        context = self.browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=script,
        )
        page = context.new_page()
        page.emulate_media(media=media)
        if heard is not None:
            self._listen(page, heard)
        page.goto(self.file.as_uri())
        yield page
        context.close()

    def _listen(self, page: Page, heard: list[str]) -> None:
        def ask(request: Request) -> None:
            if request.url != self.file.as_uri() and not request.url.startswith("data:"):
                heard.append(f"asks for {request.url}")

        def complain(told: ConsoleMessage) -> None:
            if told.type in ("error", "warning"):
                heard.append(f"{told.text} ({told.location['url']})")

        page.on("request", ask)
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        page.on("console", complain)
