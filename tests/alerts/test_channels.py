"""The addresses, the settings that have them, and the file of a machine, without a warehouse."""

import json
import logging
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts import (
    LATE,
    AlertError,
    AlertSettings,
    Message,
    open_channels,
    read_alert_settings,
    stores,
)
from alerts.findings import Finding
from alerts.incidents import Phase, Tries
from common.settings import read_settings
from tests.support.receiver import Receiver

SECRET = "t0ken-of-a-channel"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"slak://{SECRET}", "ALERT_URLS: address 1 (slak://…) is none that Apprise knows"),
        (f"x:{SECRET}@mail", "ALERT_URLS: address 1 is none that Apprise knows"),
        (f"mailto://{SECRET}", "ALERT_URLS: address 1 (mailto://…) is none that Apprise knows"),
    ],
)
def test_address_that_is_none_is_told_without_its_secret(url: str, told: str) -> None:
    channels, (error,) = open_channels([url])
    assert channels == []
    assert str(error).startswith(f"{told}\nHINT: ")
    assert SECRET not in str(error)


def test_identity_of_a_channel_needs_the_key() -> None:
    (one, another), _ = open_channels([f"json://a:{SECRET}@b", "json://a:b@b"])
    assert one.identity("key") == one.identity("key") != another.identity("key")
    assert one.identity("key") != one.identity("another key")
    assert re.fullmatch("json [0-9a-f]{8}", one.identity("key"))


def test_room_is_that_of_the_service() -> None:
    urls = [f"discord://1234567890/{'a' * 60}", "tgram://123456789:abcdefg_hijklmnop/12315544/"]
    (discord, telegram), _ = open_channels(urls)
    assert discord.room("title") == 2_000
    assert telegram.room("title") == 4_096 - len("title") - 2


def test_missing_package_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(AlertError) as caught:
        open_channels(["json://127.0.0.1"])
    assert str(caught.value).startswith("package apprise: cannot be loaded (")
    assert str(caught.value).endswith("\nHINT: Install it with `make .venv`.")


def test_apprise_is_loaded_only_where_something_is_sent() -> None:
    code = "import sys, alerts, commands.run.calling; print('apprise' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_settings_of_alerts_are_read(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    assert read_alert_settings({}, dotenv) == AlertSettings()
    dotenv.write_text("ALERT_URLS='json://a  json://b'\nALERT_BACKUP_HOURS=off\n", "utf-8")
    settings = read_alert_settings({"ALERT_NO_RUN_HOURS": "3"}, dotenv)
    assert settings.urls == ("json://a", "json://b")
    assert settings.no_backup is None
    assert settings.no_run is not None and settings.no_run.total_seconds() == 3 * 3600
    (tmp_path / "urls").write_text("# ours\njson://c\n  json://d\n", "utf-8")
    file = {"ALERT_URLS_FILE": str(tmp_path / "urls")}
    assert read_alert_settings(file, dotenv).urls == ("json://c", "json://d")


@pytest.mark.parametrize("urls", ["json://a\njson://b\n", "json://a\t json://b\x01"], ids=repr)
def test_what_only_concerns_alerts_keeps_no_command_from_its_work(
    urls: str, tmp_path: Path
) -> None:
    environment = {"ALERT_URLS": urls}
    settings = read_alert_settings(environment, tmp_path / ".env")
    assert settings.urls == ("json://a", "json://b")[: 2 - len(settings.errors)]
    assert len(settings.errors) == ("\x01" in urls)
    read_settings(environment, tmp_path / ".env")


@pytest.mark.parametrize(
    ("values", "told", "urls"),
    [
        ({"ALERT_NO_RUN_HOURS": "0"}, "ALERT_NO_RUN_HOURS: '0' is not a number of hours", 1),
        ({"ALERT_BACKUP_HOURS": "1d"}, "ALERT_BACKUP_HOURS: '1d' is not a number of hours", 1),
        ({"ALERT_BACKUP_HOURS": "10001"}, "ALERT_BACKUP_HOURS: '10001' is not a number", 1),
        ({"ALERT_NO_RUN_HOURS": "\x01"}, "ALERT_NO_RUN_HOURS: '\\x01' is not a number", 1),
        ({"ALERT_URLS": "json://a json://\x01"}, "ALERT_URLS: address 2 contains a control", 1),
        ({"ALERT_URLS": "json://a json://\udcff"}, "ALERT_URLS: address 2 contains a control", 1),
        ({"ALERT_URLS": "json://a", "ALERT_URLS_FILE": "/x"}, "ALERT_URLS: set, and so is", 1),
        ({"ALERT_URLS_FILE": "/no/such"}, 'ALERT_URLS_FILE: "/no/such" cannot be read', 0),
        ({"ALERT_URLS_FILE": "/dev/null"}, 'ALERT_URLS_FILE: "/dev/null" has no address', 0),
    ],
)
def test_wrong_setting_of_alerts_is_told_and_the_others_hold(
    values: dict[str, str], told: str, urls: int, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("ALERT_URLS=json://of-the-file\n", "utf-8")
    settings = read_alert_settings(values, tmp_path / ".env")
    assert str(settings.errors[0]).startswith(told)
    assert len(settings.urls) == urls
    assert settings.no_run == settings.no_backup == LATE


@pytest.mark.parametrize(
    "line",
    [b"WAREHOUSE_HOTS=x", b"no equals sign", b"WAREHOUSE_HOST=\x01", b"WAREHOUSE_PORT=\xff"],
    ids=["unknown", "no setting", "control character", "no UTF-8"],
)
def test_what_is_wrong_elsewhere_in_the_file_does_not_keep_alerts_from_being_read(
    line: bytes, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_bytes(line + b"\nexport ALERT_URLS='json://a'\n" + line)
    assert read_alert_settings({}, tmp_path / ".env") == AlertSettings(("json://a",))


def test_channel_is_named_for_its_scheme_and_its_place_among_them() -> None:
    urls = ["json://a", "jsons://b", "JSON://c"]
    channels, errors = open_channels(urls)
    assert [channel.label for channel in channels] == ["json 1", "jsons 1", "json 2"]
    assert errors == []


def test_what_apprise_says_is_not_passed_on(
    free_port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    (channel,), _ = open_channels([f"json://alice:{SECRET}@127.0.0.1:{free_port}"])
    with pytest.raises(AlertError):
        channel.send(Message("title", "body"))
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("apprise").propagate


def kept_file(**changes: object) -> str:
    """A file with one incident, of which some facts are others."""
    finding = {"rule": "check", "subject": "warehouse x", "problem": "p", "next_command": "c"}
    facts = {"incident_id": 1, "finding": finding | {"since": "2026-11-27T03:00:00+00:00"}}
    facts |= {"told": [], "end_told": [], "tried": {}}
    facts |= dict.fromkeys(("ended_at", "told_at", "end_told_at"))
    return json.dumps({"key": "k", "incidents": [facts | changes]})


DAMAGED = {
    "no JSON": "{",
    "bytes": "\xff",
    "empty list": "[]",
    "number": "[1]",
    "text": '["abc"]',
    "another object": '{"a": 1}',
    "no incidents": '{"key": "k", "incidents": 1}',
    "no key": '{"incidents": []}',
    "null": "null",
    "deep": "[" * 100_000,
    "empty incident": '{"key": "k", "incidents": [{}]}',
    "number as told": kept_file(told=[1]),
    "text as a time": kept_file(told_at="yesterday"),
    "number as a time": kept_file(ended_at=1),
    "text as a number": kept_file(incident_id="1"),
    "list as tried": kept_file(tried=[1]),
    "number as a finding": kept_file(finding=1),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_file_is_as_none(receiver: Receiver, tmp_path: Path, content: str) -> None:
    (tmp_path / "alerts.json").write_text(content, encoding="latin-1")
    store = stores.FileStore(tmp_path / "alerts.json")
    with store.locked():
        assert store.incidents() == []
        store.open(Finding("check", "warehouse x", "p", "c", datetime.now(UTC)))
    with (again := stores.FileStore(tmp_path / "alerts.json")).locked():
        assert len(again.incidents()) == 1
        assert again.key == store.key


def test_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "alerts.json").write_text(kept_file(), "utf-8")
    with (store := stores.FileStore(tmp_path / "alerts.json")).locked():
        (incident,) = store.incidents()
        store.record_tried(incident, "json 1", Tries(2, incident.finding.since))
        store.record_told(incident, Phase.BEGIN, "json 2")
        kept = store.incidents()
    with (again := stores.FileStore(tmp_path / "alerts.json")).locked():
        assert again.incidents() == kept
        assert kept[0].tried == {"json 1": Tries(2, incident.finding.since)}
