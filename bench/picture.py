"""Bar and line charts as SVG, written without a library."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, NAMES, ROW, BAR = 760, 220, 30, 18
OURS, THEIRS = "#1f6f8b", "#b8c4cc"
COLOURS = (OURS, "#d08a2e", "#7a5195", "#5b8c3e")
PLOT_LEFT, PLOT_TOP, PLOT_HEIGHT = 60, 50, 260
PLOT_RIGHT = WIDTH - 200
NAME_HEIGHT = 16


@dataclass(frozen=True)
class Bar:
    """One bar: its name, its length, the text beside it, and whether it is Tidemark's."""

    name: str
    length: float
    text: str
    is_ours: bool = False


def bars(title: str, below: str, rows: Sequence[Bar]) -> str:
    """A chart of horizontal bars; the longest has the full width."""
    longest = max(row.length for row in rows)
    room = WIDTH - NAMES - 130
    height = 50 + ROW * len(rows) + 30
    parts = _head(title, height)
    for number, row in enumerate(rows):
        top = 44 + ROW * number
        wide = max(1.0, room * row.length / longest)
        middle = top + BAR * 0.75
        parts += [
            _text(NAMES - 10, middle, row.name, 'text-anchor="end"'),
            f'<rect x="{NAMES}" y="{top}" width="{wide:.1f}" height="{BAR}" rx="2"'
            f' fill="{OURS if row.is_ours else THEIRS}"/>',
            _text(NAMES + wide + 8, middle, row.text),
        ]
    parts += [_text(16, height - 14, below, 'font-size="11" fill="#667788"'), "</svg>"]
    return "\n".join(parts) + "\n"


@dataclass(frozen=True)
class Line:
    """One line: its name, and its points from left to right."""

    name: str
    points: Sequence[tuple[float, float]]


def lines(title: str, below: str, across: str, up: str, drawn: Sequence[Line]) -> str:
    """A chart of lines, from zero on both axes, each with its name at its end."""
    points = [point for line in drawn for point in line.points]
    most_across, most_up = max(x for x, _ in points), max(y for _, y in points)
    height = PLOT_TOP + PLOT_HEIGHT + 70
    bottom = PLOT_TOP + PLOT_HEIGHT

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * x / most_across,
            bottom - PLOT_HEIGHT * y / most_up,
        )

    parts = [
        *_head(title, height),
        f'<path d="M{PLOT_LEFT} {PLOT_TOP}V{bottom}H{PLOT_RIGHT}" fill="none" stroke="#99a6b0"/>',
        _text(PLOT_LEFT, PLOT_TOP - 6, up, 'font-size="11" fill="#667788"'),
        _text(PLOT_RIGHT, bottom + 32, across, 'font-size="11" fill="#667788" text-anchor="end"'),
        _text(PLOT_LEFT - 6, PLOT_TOP + 5, f"{most_up:.0f}", 'text-anchor="end"'),
    ]
    for x in sorted({x for x, _ in points}):
        parts.append(_text(place(x, 0)[0], bottom + 16, f"{x:g}", 'text-anchor="middle"'))
    free: float = height
    for line, colour in sorted(
        zip(drawn, COLOURS, strict=False), key=lambda named: named[0].points[-1][1]
    ):
        path = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in line.points)
        end, level = place(*line.points[-1])
        # names of lines with nearby ends are placed above each other
        free = min(level + 4, free - NAME_HEIGHT)
        parts += [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
            *(_dot(*place(x, y), colour) for x, y in line.points),
            _text(end + 8, free, line.name, f'fill="{colour}"'),
        ]
    parts += [_text(16, height - 14, below, 'font-size="11" fill="#667788"'), "</svg>"]
    return "\n".join(parts) + "\n"


def _head(title: str, height: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(16, 26, title, 'font-size="15" font-weight="600"'),
    ]


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def _text(left: float, baseline: float, text: str, more: str = 'fill="#223344"') -> str:
    return f'<text x="{left:.1f}" y="{baseline:.1f}" {more}>{escape(text)}</text>'
