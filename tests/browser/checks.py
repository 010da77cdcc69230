"""What is true of the dashboard in a browser. Each check raises AssertionError where it is not."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.documents import DESKTOP, NARROWEST, PHONE, Document

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations", "incomplete"],
}
"""The rules of axe-core: those of WCAG 2.2 up to AA, contrast for one, and good practice."""
MOST_STOPS = 500
"""More than the dashboard has stops of the Tab key."""
LEAST_CONTRAST = 3
"""What WCAG asks of what is drawn; axe-core looks at the contrast of text alone."""

MARKS = """() => [...document.querySelectorAll('.page figure')]
  .filter(figure => figure.checkVisibility())
  .flatMap(figure => {
    const marks = [...figure.querySelectorAll('.mark')];
    const title = figure.querySelector('h3').innerText;
    if (!marks.length) return [`${title}: no mark`];
    return marks.flatMap(mark => {
      const box = mark.getBoundingClientRect(), around = mark.parentElement.getBoundingClientRect();
      const style = getComputedStyle(mark.parentElement);
      const [across, along, whole] = mark.style.height
        ? [box.width, box.height, around.height]
        : [box.height, box.width, around.width - parseFloat(style.paddingRight)];
      const wanted = parseFloat(mark.style.height || mark.style.width) / 100 * whole;
      return across >= 1 && Math.abs(along - Math.max(wanted, 1)) <= 2
        ? [] : [`${title}: ${across} x ${along} px, not ${wanted} px`];
    });
  })"""
CONTRAST_OF_MARKS = """() => {
  const luminance = colour => {
    const [red, green, blue] = colour.match(/[\\d.]+/g).map(Number).map(value => value / 255)
      .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  return [...document.querySelectorAll('.page .mark')]
    .filter(mark => mark.checkVisibility())
    .map(mark => {
      const [high, low] = [mark, mark.closest('figure')]
        .map(one => luminance(getComputedStyle(one).backgroundColor)).sort().reverse();
      return (high + 0.05) / (low + 0.05);
    });
}"""
SHOWN = """() => ({
  pages: [...document.querySelectorAll('.page')].filter(one => one.checkVisibility())
    .map(one => one.id),
  periods: [...new Set([...document.querySelectorAll('.view')].filter(one => one.checkVisibility())
    .flatMap(one => [...one.classList]).filter(name => name.startsWith('period-')))],
})"""
FOCUSED = """() => {
  const element = document.activeElement;
  if (!element || element === document.body || element.wasFocused) return null;
  element.wasFocused = true;
  const isSeen = one => one && parseFloat(getComputedStyle(one).outlineWidth) >= 2
    && getComputedStyle(one).outlineStyle !== 'none';
  return {
    name: element.id || element.tagName + ' ' + element.innerText.slice(0, 40),
    isSeen: Boolean(isSeen(element) || isSeen(element.nextElementSibling)),
  };
}"""
CUT_OFF = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (texts.nextNode()) {
    const node = texts.currentNode, parent = node.parentElement;
    if (!node.data.trim() || !parent.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    const around = parent.closest('.wide')
      ? null : parent.closest('figure, dl > div, .warnings, body');
    const left = around ? around.getBoundingClientRect().left : -Infinity;
    const right = around ? around.getBoundingClientRect().right : Infinity;
    const isClipped = ['hidden', 'clip'].includes(getComputedStyle(parent).overflowX)
      && parent.scrollWidth > parent.clientWidth;
    if (box.left < left - 1 || box.right > right + 1 || isClipped) found.push(node.data.trim());
  }
  return found;
}"""
TEXTS = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (texts.nextNode()) {
    const node = texts.currentNode;
    if (node.data.trim() && node.parentElement.checkVisibility()
        && !node.parentElement.closest('form, details'))
      found.push(node.data.trim());
  }
  return found;
}"""


def complains_of_nothing_and_asks_for_nothing(document: Document) -> None:
    heard: list[str] = []
    with document.open(heard=heard) as page:
        for choice in choices(page, "period") + choices(page, "page"):
            choose(page, choice)
    assert heard == []


def every_chart_has_marks_as_long_as_its_values(document: Document) -> None:
    with document.open() as page:
        for period in choices(page, "period"):
            choose(page, period)
            wrong = page.evaluate(MARKS)
            assert wrong == [], f"{period}: {wrong}"


def marks_stand_out(document: Document) -> None:
    for how in ({"scheme": "light"}, {"scheme": "dark"}, {"media": "print"}):
        with document.open(**how) as page:
            found = page.evaluate(CONTRAST_OF_MARKS)
            assert found and min(found) >= LEAST_CONTRAST, how


def filters_work_by_click(document: Document, script: bool = True) -> None:
    with document.open(script=script) as page:
        everything = page.evaluate(SHOWN)["pages"]
        assert len(everything) > 1
        for period in choices(page, "period"):
            choose(page, period)
            assert page.evaluate(SHOWN) == {"pages": everything, "periods": [period]}
        first, *subjects = choices(page, "page")
        assert len(subjects) == len(everything)
        for subject, name in zip(subjects, everything, strict=True):
            choose(page, subject)
            assert page.evaluate(SHOWN)["pages"] == [name]
        choose(page, first)
        assert page.evaluate(SHOWN)["pages"] == everything


def filters_work_by_keyboard(document: Document) -> None:
    with document.open() as page:
        for group, shown in (("period", "periods"), ("page", "pages")):
            for _ in range(MOST_STOPS):
                page.keyboard.press("Tab")
                if page.evaluate("document.activeElement.name") == group:
                    break
            before = page.evaluate(SHOWN)[shown]
            page.keyboard.press("ArrowRight")
            chosen = page.evaluate(f"document.querySelector('[name={group}]:checked').id")
            assert chosen == choices(page, group)[1]
            assert page.evaluate(SHOWN)[shown] != before
            assert len(page.evaluate(SHOWN)[shown]) == 1


def works_without_script(document: Document) -> None:
    texts = []
    for script in (True, False):
        with document.open(script=script) as page:
            texts.append(page.inner_text("body"))
    assert texts[0] == texts[1]
    filters_work_by_click(document, script=False)


def keeps_the_rules_of_accessibility(document: Document) -> None:
    ways: tuple[dict[str, Any], ...] = (
        {"width": DESKTOP},
        {"width": DESKTOP, "scheme": "dark"},
        {"width": PHONE},
        {"width": DESKTOP, "media": "print"},
    )
    for how in ways:
        with document.open(**how) as page:
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            found = Axe().run(page, options=RULES).response
            told = [
                (rule["id"], node["html"], node.get("failureSummary"))
                for rule in found["violations"] + found["incomplete"]
                for node in rule["nodes"]
                if rule in found["violations"] or not is_scrolled(page, node["target"][0])
            ]
            assert told == [], f"{how}: {told}"


def focus_is_seen(document: Document) -> None:
    stops = []
    with document.open() as page:
        for _ in range(MOST_STOPS):
            page.keyboard.press("Tab")
            stop = page.evaluate(FOCUSED)
            if stop is None:
                break
            stops.append(stop)
    assert len(stops) > 3
    assert [stop["name"] for stop in stops if not stop["isSeen"]] == []


def nothing_is_cut_off(document: Document) -> None:
    for width in (NARROWEST, PHONE, 768, DESKTOP):
        with document.open(width=width) as page:
            for period in choices(page, "period"):
                choose(page, period)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                cut_off = page.evaluate(CUT_OFF)
                assert cut_off == [], f"{width} px: {cut_off}"


def paper_shows_all_but_the_controls(document: Document) -> None:
    texts = []
    for media in ("screen", "print"):
        with document.open(width=700, media=media) as page:
            texts.append(page.evaluate(TEXTS))
            if media == "print":
                controls = page.locator("form, summary").all()
                assert controls and not any(one.is_visible() for one in controls)
                assert page.locator("details td:visible").count() > 0, "the numbers of charts"
                assert page.evaluate("document.documentElement.scrollWidth") <= 700
                assert page.evaluate(CUT_OFF) == []
                adjusted = "getComputedStyle(document.querySelector('.mark')).printColorAdjust"
                assert page.evaluate(adjusted) == "exact", "bars would be left white"
    assert texts[0] == texts[1]


CHECKS = (
    complains_of_nothing_and_asks_for_nothing,
    every_chart_has_marks_as_long_as_its_values,
    marks_stand_out,
    filters_work_by_click,
    filters_work_by_keyboard,
    works_without_script,
    keeps_the_rules_of_accessibility,
    focus_is_seen,
    nothing_is_cut_off,
    paper_shows_all_but_the_controls,
)


def is_scrolled(page: Page, selector: str) -> bool:
    """Whether it is in a part of the page that scrolls, where axe-core cannot see all of it."""
    return bool(page.locator(selector).evaluate("one => Boolean(one.closest('.wide'))"))


def choices(page: Page, group: str) -> list[str]:
    """The ids of the radio buttons of a group."""
    return [one.get_attribute("id") or "" for one in page.locator(f"input[name={group}]").all()]


def choose(page: Page, choice: str) -> None:
    page.locator(f"label:has(#{choice})").click()
