"""Settings that are whole numbers."""

import re
from collections.abc import Mapping

from common.errors import SettingError


def read_number(
    values: Mapping[str, str], name: str, default: int, allowed: range, what: str = "such a number"
) -> int:
    """The number that is set, or the default. Raises SettingError, which says it is not `what`."""
    text = values.get(name) or str(default)
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) not in allowed:
        hint = f"Set a number from {allowed.start} to {allowed.stop - 1}."
        raise SettingError(name, f'"{text}" is not {what}', hint)
    return int(text)
