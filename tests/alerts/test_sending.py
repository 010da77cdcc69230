"""One message when an incident begins and one when it is over, whatever comes between."""

import json
import logging
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from alerts import AlertError, AlertSettings, Message, open_channels, read_alert_settings, stores
from alerts.rules import Finding
from common.errors import SettingError
from tests.alerts.conftest import Checks, Log
from tests.support.receiver import Receiver, receiving
from tests.support.servers import Query
from warehouse.connection import connect

SECRET = "t0ken-of-a-channel"
BEGIN = "a model is not built: dwh_x"
END = f"over: {BEGIN}"


def fail(log: Log, node: str = "dwh_x") -> None:
    log.add("dbt", node, "error", "division by zero")


def mend(log: Log, node: str = "dwh_x") -> None:
    log.add("dbt", node, "success")


def test_incident_is_told_once_when_it_begins_and_once_when_it_is_over(
    checks: Checks, receiver: Receiver, log: Log, query: Query
) -> None:
    assert checks.check().open == ()
    fail(log)
    (incident,) = checks.check().open
    assert incident.finding.subject == "dwh_x"
    (begun,) = receiver.take()
    assert begun["title"] == BEGIN
    assert begun["type"] == "failure"
    assert begun["message"].splitlines() == [
        "dwh_x: a model is not built",
        "division by zero",
        "run: r1",
        "since: 2026-11-27 03:00:01 UTC",
        'next: eval "$(python run.py env)" && dbt build --select dwh_x',
        "",
        "told by: Tidemark of a test",
    ]
    fail(log)
    assert len(checks.check().open) == 1
    assert receiver.take() == []
    mend(log)
    assert checks.check().open == ()
    (over,) = receiver.take()
    assert over["title"] == END
    assert over["type"] == "success"
    assert "\nsince: 2026-11-27 03:00:01 UTC\nuntil: " in over["message"]
    assert checks.check().warnings == ()
    assert receiver.take() == []
    assert query(
        "select rule_name, subject, told, end_told, told_at < ended_at, end_told_at > ended_at"
        " from dwh.alert_incident"
    ) == [("model", "dwh_x", ["json 1"], ["json 1"], True, True)]


def test_incident_that_returns_is_another_one(checks: Checks, receiver: Receiver, log: Log) -> None:
    for _ in range(2):
        fail(log)
        checks.check()
        mend(log)
        checks.check()
    assert receiver.titles() == [BEGIN, END] * 2


def test_incidents_of_a_rule_that_begin_together_are_one_message(
    checks: Checks, receiver: Receiver, log: Log
) -> None:
    for number in range(25):
        fail(log, f"dwh_{number:02}")
    log.add("dbt", "assert_it", "error", "3 rows fail")
    checks.check()
    models, test = receiver.take()
    assert models["title"] == "a model is not built: dwh_00, dwh_01, dwh_02 and 22 more"
    assert "dwh_19: a model is not built\n" in models["message"]
    assert "dwh_20" not in models["message"]
    assert "\n\n5 more are in dwh.alert_incident\n" in models["message"]
    assert test["title"] == "a data test fails: assert_it"


def test_what_could_not_be_sent_is_sent_later_and_in_order(
    checks: Checks, receiver: Receiver, log: Log
) -> None:
    receiver.answer = 500
    fail(log)
    assert checks.check().warnings == (
        "alerts by json 1: not sent (answer 500); the next check tries again\n"
        "HINT: Try the address with `python run.py alert --test`.",
    )
    mend(log)
    assert len(checks.check().warnings) == 1
    assert receiver.refused == 2
    receiver.answer = 200
    assert checks.check().warnings == ()
    assert receiver.titles() == [BEGIN, END]
    checks.check()
    assert receiver.take() == []


def test_last_message_is_right_where_an_incident_returned_meanwhile(
    checks: Checks, receiver: Receiver, log: Log
) -> None:
    receiver.answer = 500
    for _ in range(2):
        fail(log)
        checks.check()
        mend(log)
        checks.check()
    fail(log)
    checks.check()
    receiver.answer = 200
    checks.check()
    assert receiver.titles() == [BEGIN, END, BEGIN]


def test_channel_that_works_is_not_told_again_for_one_that_does_not(
    checks: Checks, receiver: Receiver, log: Log, free_port: int
) -> None:
    with receiving() as other:
        down = f"json://127.0.0.1:{free_port}/"
        checks.settings = AlertSettings((receiver.url(), down), no_run=None, no_backup=None)
        fail(log)
        for _ in range(2):
            (warning,) = checks.check().warnings
            assert warning.startswith("alerts by json 2: not sent (no connection); the next check")
        assert receiver.titles() == [BEGIN]
        checks.settings = AlertSettings((receiver.url(), other.url()), no_run=None, no_backup=None)
        assert checks.check().warnings == ()
        assert (receiver.titles(), other.titles()) == ([], [BEGIN])


def test_channel_that_is_added_is_not_told_what_began_before(
    checks: Checks, receiver: Receiver, log: Log
) -> None:
    fail(log)
    checks.check()
    with receiving() as other:
        urls = (receiver.url(), other.url())
        checks.settings = AlertSettings(urls, no_run=None, no_backup=None)
        checks.check()
        assert other.take() == []
        mend(log)
        checks.check()
        assert other.titles() == [END]


def test_check_waits_for_another_one_only_so_long(
    checks: Checks, receiver: Receiver, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "LOCK_WAIT", 0.1)
    fail(log)
    holding = connect(checks.address)
    with stores.TableStore(holding).locked():
        (warning,) = checks.check().warnings
    holding.close()
    assert warning.startswith("alerts: another check has not ended within ")
    assert receiver.take() == []
    checks.check()
    assert receiver.titles() == [BEGIN]


def test_warehouse_that_cannot_be_reached_is_told_too_and_when_it_is_back(
    checks: Checks, receiver: Receiver, log: Log
) -> None:
    fail(log)
    checks.check()
    receiver.take()
    checks.is_down = True
    for _ in range(2):
        (incident,) = checks.check().open
        assert incident.finding.rule == "check"
    (begun,) = receiver.take()
    assert begun["title"] == "the warehouse cannot be checked: warehouse"
    assert f"warehouse {checks.address}: no connection\nStart the server.\n" in begun["message"]
    assert "\nnext: python run.py doctor\n" in begun["message"]
    assert checks.state_file.stat().st_mode & 0o077 == 0
    checks.is_down = False
    (incident,) = checks.check().open
    assert incident.finding.rule == "model"
    assert receiver.titles() == ["over: the warehouse cannot be checked: warehouse"]
    assert json.loads(checks.state_file.read_text(encoding="utf-8")) == []


def test_what_could_not_be_sent_of_a_warehouse_that_is_down_is_sent_later(
    checks: Checks, receiver: Receiver
) -> None:
    checks.is_down, receiver.answer = True, 503
    assert "(answer 503)" in checks.check().warnings[0]
    checks.is_down, receiver.answer = False, 200
    assert checks.check().warnings == ()
    assert receiver.titles() == [
        "the warehouse cannot be checked: warehouse",
        "over: the warehouse cannot be checked: warehouse",
    ]


@pytest.mark.parametrize("content", ["{", "[{}]", "\xff", '[{"finding": 1}]'])
def test_damaged_file_is_as_none(checks: Checks, receiver: Receiver, content: str) -> None:
    checks.state_file.write_text(content, encoding="latin-1")
    checks.is_down = True
    checks.check()
    checks.check()
    assert receiver.titles() == ["the warehouse cannot be checked: warehouse"]


def test_place_that_cannot_be_written_to_costs_repetitions_and_no_alert(
    checks: Checks, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    checks.state_file = tmp_path / "file" / "alerts.json"
    checks.is_down = True
    checks.check()
    checks.check()
    assert receiver.titles() == ["the warehouse cannot be checked: warehouse"] * 2


def test_error_in_the_midst_of_a_check_is_told(
    checks: Checks, receiver: Receiver, log: Log, query: Query
) -> None:
    fail(log)
    query("alter table dwh.alert_incident rename to elsewhere")
    try:
        checks.check()
    finally:
        query("alter table dwh.elsewhere rename to alert_incident")
    assert receiver.titles() == ["the warehouse cannot be checked: warehouse"]
    checks.check()
    assert receiver.titles() == [BEGIN, "over: the warehouse cannot be checked: warehouse"]


def test_secret_of_an_address_is_told_nowhere(
    checks: Checks, receiver: Receiver, log: Log, query: Query, caplog: pytest.LogCaptureFixture
) -> None:
    urls = (receiver.url(f"alice:{SECRET}@"), f"slack://{SECRET}/{SECRET}/x")
    checks.settings = AlertSettings(urls)
    said = [repr(checks.settings)]
    with caplog.at_level(logging.DEBUG), pytest.raises(SettingError) as caught:
        open_channels(urls)
    said += [str(caught.value), caplog.text]
    checks.settings = AlertSettings(urls[:1], no_run=None, no_backup=None)
    receiver.answer = 401
    fail(log)
    with caplog.at_level(logging.DEBUG):
        said += checks.check().warnings
    said += [caplog.text, str(query("select * from dwh.alert_incident"))]
    receiver.answer = 200
    with caplog.at_level(logging.DEBUG):
        checks.check()
    said += [caplog.text, json.dumps(receiver.received)]
    assert SECRET not in "\n".join(said)
    assert receiver.titles() == [BEGIN]
    account = b64encode(f"alice:{SECRET}".encode()).decode()
    assert receiver.authorizations == [f"Basic {account}"] * 2


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"slak://{SECRET}", "ALERT_URLS: address 1 (slak://…) is none that Apprise knows"),
        (f"x:{SECRET}@mail", "ALERT_URLS: address 1 is none that Apprise knows"),
        (f"mailto://{SECRET}", "ALERT_URLS: address 1 (mailto://…) is none that Apprise knows"),
    ],
)
def test_address_that_is_none_is_told_without_its_secret(url: str, told: str) -> None:
    with pytest.raises(SettingError) as caught:
        open_channels([url])
    assert str(caught.value).startswith(f"{told}\nHINT: ")
    assert SECRET not in str(caught.value)


def test_wrong_address_loses_nothing(checks: Checks, receiver: Receiver, log: Log) -> None:
    right = checks.settings
    checks.settings = AlertSettings(("slak://x",), no_run=None, no_backup=None)
    fail(log)
    (warning,) = checks.check().warnings
    assert warning.startswith("ALERT_URLS: address 1 (slak://…) is none that Apprise knows")
    checks.settings = right
    checks.check()
    assert receiver.titles() == [BEGIN]


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


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"ALERT_NO_RUN_HOURS": "0"}, 'ALERT_NO_RUN_HOURS: "0" is not a number of hours'),
        ({"ALERT_BACKUP_HOURS": "1d"}, 'ALERT_BACKUP_HOURS: "1d" is not a number of hours'),
        ({"ALERT_BACKUP_HOURS": "10001"}, 'ALERT_BACKUP_HOURS: "10001" is not a number of hours'),
        ({"ALERT_URLS": "json://a", "ALERT_URLS_FILE": "/x"}, "ALERT_URLS: set, and so is"),
        ({"ALERT_URLS_FILE": "/no/such"}, 'ALERT_URLS_FILE: "/no/such" cannot be read'),
        ({"ALERT_URLS_FILE": "/dev/null"}, 'ALERT_URLS_FILE: "/dev/null" has no address'),
    ],
)
def test_wrong_setting_of_alerts_is_told(values: dict[str, str], told: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        read_alert_settings(values, tmp_path / ".env")
    assert str(caught.value).startswith(told)


def test_channel_is_named_for_its_scheme_and_its_place_among_them() -> None:
    urls = ["json://a", "jsons://b", "JSON://c"]
    assert [channel.label for channel in open_channels(urls)] == ["json 1", "jsons 1", "json 2"]


def test_what_apprise_says_is_not_passed_on(
    free_port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    (channel,) = open_channels([f"json://alice:{SECRET}@127.0.0.1:{free_port}"])
    with pytest.raises(AlertError):
        channel.send(Message("title", "body"))
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("apprise").propagate


def test_finding_is_the_same_incident_by_its_rule_and_subject(
    upgraded: Connection, query: Query
) -> None:
    store = stores.TableStore(upgraded)
    ((now,),) = query("select now()")
    store.open(Finding("model", "dwh_x", "one", "command", now))
    (incident,) = store.incidents()
    assert incident.finding == Finding("model", "dwh_x", "one", "command", now)
    with pytest.raises(Exception, match="alert_incident_open"):
        store.open(Finding("model", "dwh_x", "another", "command", now))
    store.end(incident)
    store.open(Finding("model", "dwh_x", "another", "command", now))
    assert len(store.incidents()) == 2
