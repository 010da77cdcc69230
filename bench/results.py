"""The files in which a measurement is kept, below .local/bench."""

import json
from typing import Any

from common.settings import LOCAL

FOLDER = LOCAL / "bench"


def save(name: str, facts: dict[str, Any], picture: str = "") -> None:
    """Write the figures as JSON, and their picture, if there is one, as SVG."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps(facts, indent=1) + "\n"
    (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
    if picture:
        (FOLDER / f"{name}.svg").write_text(picture, encoding="utf-8")
