"""The settings of exports: where they are written, and how long changes are kept for the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.clickhouse_settings import KEEP_DAYS, read_keep_days

SETTINGS = {
    "EXPORT_DIRECTORY": "where `export` writes its folders; default .local/exports",
    "ICEBERG_DIRECTORY": "where `export --format iceberg` keeps its tables; default .local/iceberg",
}


@dataclass(frozen=True)
class ExportSettings:
    """What the user has set for exports."""

    directory: Path
    iceberg_directory: Path
    keep_days: int = KEEP_DAYS


def read_export_settings(values: Mapping[str, str], local: Path) -> ExportSettings:
    """The settings of exports, which are below `local` by default. Raises SettingError."""
    directory = Path(values.get("EXPORT_DIRECTORY") or local / "exports").expanduser()
    iceberg = Path(values.get("ICEBERG_DIRECTORY") or local / "iceberg").expanduser()
    return ExportSettings(directory, iceberg, read_keep_days(values))
