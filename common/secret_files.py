"""Files with a secret, which a setting names."""

from pathlib import Path

from common.errors import SettingError


def read_secret(name: str, file: str) -> str:
    """The text of a file with a secret, which a setting names. Raises SettingError."""
    try:
        return Path(file).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise SettingError(
            name, f'"{file}" cannot be read', "Name a file that this account may read."
        ) from error
    except UnicodeDecodeError:
        # the error itself has what it could not decode
        problem = f'"{file}" cannot be read (it is not UTF-8)'
        raise SettingError(name, problem, "Write it in UTF-8.") from None
