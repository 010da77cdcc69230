"""The options of `export`, and what it needs: all of it is told before a server is asked."""

from pathlib import Path

import pytest

from commands.export import call
from commands.line import parser_of
from common.errors import TidemarkError, UsageError
from export.extra import use_extra


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "export --format: not given"),
        (["--format", "avro"], "--format avro: no such name"),
        (["--check", "x", "--changes"], "export --check: contradicts --changes"),
        (["--check", "x", "items"], "export --check: contradicts items"),
        (
            ["items", "--domain", "sales", "--format", "parquet"],
            "--domain sales: contradicts the names of tables",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_contradictions_are_refused(arguments: list[str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        call(parser_of("export").parse(arguments))
    assert str(caught.value).startswith(told) and "\nHINT: " in str(caught.value)


def test_missing_packages_are_told(tmp_path: Path) -> None:
    with pytest.raises(TidemarkError) as caught:
        use_extra(tmp_path)
    assert str(caught.value) == (
        "export: its packages are not installed\nHINT: Install them with `make export`."
    )
