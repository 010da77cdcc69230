"""Bars as an SVG, written by hand: no more is needed to see who is how fast."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, NAMES, ROW, BAR = 760, 220, 30, 18
OURS, THEIRS = "#1f6f8b", "#b8c4cc"


@dataclass(frozen=True)
class Bar:
    """One bar: its name, its length, what is written beside it, and whether it is ours."""

    name: str
    length: float
    text: str
    is_ours: bool = False


def bars(title: str, below: str, rows: Sequence[Bar]) -> str:
    """A picture of horizontal bars, the longest as wide as there is room."""
    longest = max(row.length for row in rows)
    room = WIDTH - NAMES - 130
    height = 50 + ROW * len(rows) + 30
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(16, 26, title, 'font-size="15" font-weight="600"'),
    ]
    for number, row in enumerate(rows):
        top = 44 + ROW * number
        wide = max(1.0, room * row.length / longest)
        middle = top + BAR * 0.75
        lines += [
            _text(NAMES - 10, middle, row.name, 'text-anchor="end"'),
            f'<rect x="{NAMES}" y="{top}" width="{wide:.1f}" height="{BAR}" rx="2"'
            f' fill="{OURS if row.is_ours else THEIRS}"/>',
            _text(NAMES + wide + 8, middle, row.text),
        ]
    lines += [_text(16, height - 14, below, 'font-size="11" fill="#667788"'), "</svg>"]
    return "\n".join(lines) + "\n"


def _text(left: float, baseline: float, text: str, more: str = 'fill="#223344"') -> str:
    return f'<text x="{left:.1f}" y="{baseline:.1f}" {more}>{escape(text)}</text>'
