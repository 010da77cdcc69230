"""Spans of time as text."""

from datetime import datetime


def age(at: datetime, now: datetime) -> str:
    """The time since then as text; a clock may have been wrong, then or now."""
    return duration((now - at).total_seconds()) if at <= now else "in the future"


def duration(seconds: float) -> str:
    """A time as text, in its largest unit."""
    minutes, hours, days = seconds / 60, seconds / 3600, seconds / 86400
    if days >= 2:
        return f"{days:.0f} d"
    if hours >= 2:
        return f"{hours:.0f} h"
    return f"{minutes:.0f} min" if minutes >= 2 else f"{seconds:.0f} s"
