"""The settings of exports: where they are written, and how long changes are kept for the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.clickhouse_settings import KEEP_DAYS, read_keep_days

SETTINGS = {
    "EXPORT_DIRECTORY": "where `export` writes its folders; default .local/exports",
}


@dataclass(frozen=True)
class ExportSettings:
    """What the user has set for exports."""

    directory: Path
    keep_days: int = KEEP_DAYS


def read_export_settings(values: Mapping[str, str], directory: Path) -> ExportSettings:
    """The settings of exports, which are in `directory` by default. Raises SettingError."""
    written_in = Path(values.get("EXPORT_DIRECTORY") or directory).expanduser()
    return ExportSettings(written_in, read_keep_days(values))
