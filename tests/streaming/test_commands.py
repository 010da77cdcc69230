"""`stream` where something that it needs is missing."""

from pathlib import Path

import pytest

from commands import stream
from common.errors import SettingError
from streaming.errors import StreamError
from streaming.extra import use_extra
from streaming.settings import StreamSettings


def test_extra_that_is_missing_is_told_with_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(StreamError) as told:
        use_extra(tmp_path)
    assert str(told.value) == (
        "stream: its packages are not installed\nHINT: Install them with `make stream`."
    )


def test_operational_server_of_ones_own_is_not_written_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for part, value in {"HOST": "db.example.com", "USER": "x", "PASSWORD": "x"}.items():
        for server in ("OPERATIONAL", "WAREHOUSE"):
            monkeypatch.setenv(f"{server}_{part}", value)
    monkeypatch.setenv("WAREHOUSE_DATABASE", "warehouse")
    for server in ("OPERATIONAL", "WAREHOUSE"):
        monkeypatch.setenv(f"{server}_TLS", "require")
    with pytest.raises(SettingError, match="STREAM_DATABASE_HOST: not set, and the operational"):
        stream._database(StreamSettings())
