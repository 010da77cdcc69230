"""Sizes of files as text."""

UNITS = ("kB", "MB", "GB", "TB")


def size_text(size: int) -> str:
    """A number of bytes as text, in its largest decimal unit."""
    amount, unit = float(size), "B"
    for larger in UNITS:
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"
