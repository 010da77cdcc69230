"""Numbers and days as the dashboard writes them."""

from datetime import date, datetime
from decimal import Decimal

MILLION = 1_000_000


def number(value: float | None, unit: str = "") -> str:
    """A value with its unit: `1,234`, `12.3 million EUR`, `25.0 %`, `—` if there is none."""
    if value is None:
        return "—"
    if unit == "%":
        return share(value)
    if round(abs(value)) >= MILLION:
        text = f"{value / MILLION:,.2f} million"
    elif abs(value) < 0.005:
        text = "0" if value == 0 else "0.00"
    elif value == int(value) or abs(value) >= 1000:
        text = f"{value:,.0f}"
    else:
        text = f"{value:,.2f}"
    return f"{text} {unit}".strip()


def share(value: float | Decimal) -> str:
    """A share of 1 in percent."""
    # a zero without a sign
    return f"{round(100 * float(value), 1) + 0.0:,.1f} %"


def day(value: date) -> str:
    """A day as `3 March 2026`."""
    return f"{value.day} {value:%B %Y}"


def in_words(start: date, grain: str) -> str:
    """The part of time that begins with a day: `3 March 2026`, `March 2026`, `2026 Q1`, `2026`."""
    if grain == "month":
        return f"{start:%B %Y}"
    if grain == "quarter":
        return f"{start.year} Q{(start.month + 2) // 3}"
    return str(start.year) if grain == "year" else day(start)


def moment(value: datetime | None) -> str:
    """A time in UTC, or `never`."""
    return f"{value:%Y-%m-%d %H:%M} UTC" if value else "never"


def seconds_as_text(value: float | Decimal | None) -> str:
    """How long something took, `12.3 s`."""
    return "—" if value is None else f"{value:,.1f} s"
