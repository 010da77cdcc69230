"""The file `.env`: a setting a line, as `NAME=value`."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from common.errors import SettingError
from common.suggestion import did_you_mean

BLANKS = " \t\r"
QUOTES = "'\""


def read_dotenv(
    path: Path, settings: Iterable[str], is_setting: Callable[[str], bool]
) -> tuple[dict[str, str], dict[str, str]]:
    """The values of a `.env` file and their places in it, by name; empty if there is no file.

    `settings` are names to suggest, and `is_setting` tells all that are allowed. Raises
    SettingError, which shows no part of a value: a line may continue the password above it.
    """
    values: dict[str, str] = {}
    places: dict[str, str] = {}
    names = list(settings)
    for number, name, separator, value in dotenv_lines(_text(path)):
        place = f"{path.name} line {number}"
        if not separator or not is_setting(name):
            raise _not_a_setting(place, name if separator else None, names)
        if value[:1] and value[0] in QUOTES and (len(value) == 1 or value[-1] != value[0]):
            raise SettingError(
                place,
                f"the value of {name} begins with a quotation mark, and does not end with it",
                "Write the value on one line, and within quotation marks if it begins with one:"
                " those around it are removed, and all others are kept.",
            )
        values[name] = unquoted(value)
        places[name] = f"{name} in {place}"
    return values, places


def dotenv_lines(text: str) -> Iterator[tuple[int, str, str, str]]:
    """The number of each line that says something, its name, the equals sign if any, its value."""
    # Python knows more characters that end a line than an editor, and a password may have them
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip(BLANKS).removeprefix("export ")
        if line and not line.startswith("#"):
            name, separator, value = (part.strip(BLANKS) for part in line.partition("="))
            yield number, name, separator, value


def unquoted(value: str) -> str:
    """A value without the quotation marks around it, if there are any."""
    is_quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in QUOTES
    return value[1:-1] if is_quoted else value


def _text(path: Path) -> str:
    if not path.exists():
        return ""
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingError(
            str(path),
            f"cannot be read ({reason})",
            "Make it a text file that this account may read.",
        ) from None


def _not_a_setting(place: str, name: str | None, names: list[str]) -> SettingError:
    """The error of a line; its name is shown if it begins as those of settings do."""
    kinds = "|".join({one.partition("_")[0] for one in names})
    is_shown = name is not None and re.fullmatch(rf"({kinds})_[A-Z0-9_]+", name)
    hint = (
        f"The settings are {', '.join(names)}. Those of a source with a name contain it, such as"
        " OPERATIONAL_SHOP_HOST; it consists of letters, digits and single underscores."
    )
    if name is None:
        return SettingError(place, "not NAME=value", hint)
    problem = f'"{name}" is not a setting' if is_shown else "what is before = is not a setting"
    return SettingError(place, problem, did_you_mean(name, names) + hint)
