"""One message when an incident begins and one when it is over, whatever comes between."""

import json
import logging
import re
import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from apprise.plugins.custom_json import NotifyJSON
from psycopg2.extensions import connection as Connection

from alerts import (
    LATE,
    AlertError,
    AlertSettings,
    Message,
    open_channels,
    read_alert_settings,
    stores,
)
from alerts import channels as channels_module
from alerts.findings import Finding, Scope
from alerts.incidents import Incident, Phase, Tries
from alerts.messages import messages_for
from common.errors import SettingError
from tests.alerts.conftest import Checks, Log
from tests.support.receiver import Receiver, receiving
from tests.support.servers import Query
from warehouse.connection import connect

SECRET = "t0ken-of-a-channel"
BEGIN = "a model is not built: dwh_x"
END = f"over: {BEGIN}"


def channel_of(checks: Checks) -> str:
    """What the first channel is remembered by in the warehouse."""
    (channel, *_), _ = open_channels(checks.settings.urls)
    connection = connect(checks.address)
    identity = channel.identity(stores.TableStore(connection).key)
    connection.close()
    return identity


def pass_by(query: Query, hours: int) -> None:
    """Let the last attempts be of so many hours ago."""
    query(
        "update dwh.alert_incident set tried = (select jsonb_object_agg(key, jsonb_set(value,"
        " '{at}', to_jsonb((value ->> 'at')::timestamptz - make_interval(hours => %s))))"
        " from jsonb_each(tried)) where tried <> '{}'",
        (hours,),
    )


def cannot(checks: Checks) -> str:
    return f"the warehouse cannot be checked: warehouse {checks.address}"


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
    ) == [("model", "dwh_x", [channel_of(checks)], [channel_of(checks)], True, True)]


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
        "alerts by json 1: not sent (answer 500); it is tried again\n"
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
            assert warning.startswith("alerts by json 2: not sent (no connection); it is tried")
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
    assert begun["title"] == cannot(checks)
    assert "checked\nno connection\nStart the server.\n" in begun["message"]
    assert "\nnext: python run.py doctor\n" in begun["message"]
    assert checks.state_file.stat().st_mode & 0o077 == 0
    checks.is_down = False
    (incident,) = checks.check().open
    assert incident.finding.rule == "model"
    assert receiver.titles() == [f"over: {cannot(checks)}"]
    assert json.loads(checks.state_file.read_text(encoding="utf-8"))["incidents"] == []


def test_what_could_not_be_sent_of_a_warehouse_that_is_down_is_sent_later(
    checks: Checks, receiver: Receiver
) -> None:
    checks.is_down, receiver.answer = True, 503
    assert "(answer 503)" in checks.check().warnings[0]
    checks.is_down, receiver.answer = False, 200
    assert checks.check().warnings == ()
    assert receiver.titles() == [
        cannot(checks),
        f"over: {cannot(checks)}",
    ]


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


def test_place_that_cannot_be_written_to_costs_repetitions_and_no_alert(
    checks: Checks, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    checks.state_file = tmp_path / "file" / "alerts.json"
    checks.is_down = True
    checks.check()
    checks.check()
    assert receiver.titles() == [cannot(checks)] * 2


def test_error_in_the_midst_of_a_check_is_told(
    checks: Checks, receiver: Receiver, log: Log, query: Query
) -> None:
    fail(log)
    query("alter table dwh.alert_incident rename to elsewhere")
    try:
        checks.check()
    finally:
        query("alter table dwh.elsewhere rename to alert_incident")
    assert receiver.titles() == [cannot(checks)]
    checks.check()
    assert receiver.titles() == [BEGIN, f"over: {cannot(checks)}"]


def test_secret_of_an_address_is_told_nowhere(
    checks: Checks,
    receiver: Receiver,
    log: Log,
    query: Query,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "urls").write_text(
        f"{receiver.url(f'alice:{SECRET}@')}\nslack://{SECRET}/{SECRET}/x\n", "utf-8"
    )
    file = {"ALERT_URLS_FILE": str(tmp_path / "urls")}
    settings = read_alert_settings(file, tmp_path / ".env")
    assert len(settings.urls) == 2
    checks.settings = replace(settings, no_run=None, no_backup=None)
    said = [repr(settings)]
    fail(log)

    def check() -> None:
        with caplog.at_level(logging.DEBUG):
            said.extend(checks.check().warnings)

    receiver.answer = 401
    check()
    assert "ALERT_URLS: address 2 (slack://…) is none that Apprise knows" in said[-2] + said[-1]
    receiver.answer = 200
    with monkeypatch.context() as broken:
        # what a plugin raises may contain the address
        broken.setattr(NotifyJSON, "send", lambda *_, **__: {}[SECRET])
        check()
    checks.is_down = True
    check()
    checks.is_down = False
    check()
    tables = query(
        "select format('%I.%I', schemaname, tablename) from pg_tables"
        " where schemaname in ('dwh', 'mrr', 'mrr_state')"
    )
    assert len(tables) > 15
    said += [str(query(f"select * from {table}")) for (table,) in tables]
    said += [caplog.text, json.dumps(receiver.received), checks.state_file.read_text("utf-8")]
    assert SECRET not in "\n".join(said)
    assert receiver.titles() == [cannot(checks), BEGIN, f"over: {cannot(checks)}"]
    account = b64encode(f"alice:{SECRET}".encode()).decode()
    assert set(receiver.authorizations) == {f"Basic {account}"}


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


@pytest.mark.parametrize("is_first", [True, False])
def test_wrong_address_silences_no_right_one_and_loses_nothing(
    checks: Checks, receiver: Receiver, log: Log, is_first: bool
) -> None:
    with receiving() as other:
        wrong = ["slak://x", receiver.url()]
        wrong = wrong if is_first else wrong[::-1]
        checks.settings = AlertSettings(tuple(wrong), no_run=None, no_backup=None)
        fail(log)
        for _ in range(2):
            (warning,) = checks.check().warnings
            assert f"address {1 if is_first else 2} (slak://…) is none that" in warning
        assert receiver.titles() == [BEGIN]
        right = tuple(other.url() if url.startswith("slak") else url for url in wrong)
        checks.settings = AlertSettings(right, no_run=None, no_backup=None)
        assert checks.check().warnings == ()
        assert (receiver.titles(), other.titles()) == ([], [BEGIN])


def test_channel_is_known_wherever_it_stands(checks: Checks, receiver: Receiver, log: Log) -> None:
    with receiving() as other, receiving() as down:
        down.answer = 500
        urls = (receiver.url(), down.url(), other.url())
        checks.settings = AlertSettings(urls, no_run=None, no_backup=None)
        fail(log)
        checks.check()
        assert (receiver.titles(), other.titles()) == ([BEGIN], [BEGIN])
        # the first one goes, the others move up
        checks.settings = AlertSettings(urls[:0:-1], no_run=None, no_backup=None)
        down.answer = 200
        checks.check()
        assert (other.titles(), down.titles()) == ([], [BEGIN])


def test_identity_of_a_channel_needs_the_key() -> None:
    (one, another), _ = open_channels([f"json://a:{SECRET}@b", "json://a:b@b"])
    assert one.identity("key") == one.identity("key") != another.identity("key")
    assert one.identity("key") != one.identity("another key")
    assert re.fullmatch("json [0-9a-f]{8}", one.identity("key"))


def test_message_that_is_too_long_for_a_service_is_told_in_short(
    checks: Checks, receiver: Receiver, log: Log
) -> None:
    receiver.longest = 2_000
    for number in range(25):
        log.add("dbt", f"dwh_{number:02}", "error", f"{number}: " + "no such thing " * 100)
    log.add("dbt", "assert_it", "error", "3 rows fail")
    assert checks.check().warnings == ()
    models, test = receiver.take()
    assert models["title"] == "a model is not built: dwh_00, dwh_01, dwh_02 and 22 more"
    assert models["message"].startswith("dwh_00: 0: no such thing no such")
    assert re.search(
        r"\nand \d\d more\n\ndetails: dwh.alert_incident\ntold by: ", models["message"]
    )
    assert test["title"] == "a data test fails: assert_it"


def test_message_that_is_refused_keeps_back_no_other_one(
    checks: Checks, receiver: Receiver, log: Log
) -> None:
    receiver.longest = 150
    log.add("dbt", "dwh_x", "error", "no such thing " * 100)
    log.add("dbt", "assert_it", "error", "3 rows fail")
    (warning,) = checks.check().warnings
    assert "not sent (answer 400)" in warning
    assert receiver.titles() == ["a data test fails: assert_it"]
    mend(log)
    # of an incident whose beginning could not be told, the end is not told yet
    assert len(checks.check().warnings) == 1
    assert receiver.titles() == []
    receiver.longest = 10_000
    assert checks.check().warnings == ()
    assert receiver.titles() == [BEGIN, END]


@pytest.mark.parametrize("room", [60, 160, 500, 2_000, 4_096, 32_768])
@pytest.mark.parametrize("count", [1, 3, 25])
def test_body_fits_wherever_it_is_sent(room: int, count: int) -> None:
    now = datetime.now(UTC)
    incidents = [
        Incident(number, Finding("model", f"dwh_{number}", "x" * 900, "c", now))
        for number in range(count)
    ]
    ((_, _, message),) = messages_for(incidents, "c", "Tidemark", lambda title: room)
    assert 0 < len(message.body) <= room
    assert len(message.short) <= min(room, 500)
    if room >= 500:
        assert message.body.startswith("dwh_0: ")
        assert message.body.endswith("told by: Tidemark")


def test_room_is_that_of_the_service() -> None:
    urls = [f"discord://1234567890/{'a' * 60}", "tgram://123456789:abcdefg_hijklmnop/12315544/"]
    (discord, telegram), _ = open_channels(urls)
    assert discord.room("title") == 2_000
    assert telegram.room("title") == 4_096 - len("title") - 2


def test_markup_in_a_message_stays_text(checks: Checks, receiver: Receiver, log: Log) -> None:
    problem = 'relation "<b>_x_</b>" &amp; *y* {z} %s does not exist'
    log.add("dbt", "dwh_x", "error", problem)
    checks.check()
    (message,) = receiver.take()
    assert problem in message["message"]


def test_receiver_that_answers_late_is_waited_for(
    checks: Checks, receiver: Receiver, log: Log
) -> None:
    receiver.pause = 4.5
    fail(log)
    assert checks.check().warnings == ()
    checks.check()
    assert receiver.titles() == [BEGIN]


def test_channel_that_never_answers_in_time_is_tried_less_and_less(
    checks: Checks,
    receiver: Receiver,
    log: Log,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has accepted the message each time, and its user gets it each time."""
    monkeypatch.setattr(channels_module, "ANSWER_SECONDS", 0.1)
    receiver.pause = 0.3
    fail(log)
    for _ in range(3):
        (warning,) = checks.check().warnings
        assert "not sent (no connection); it is tried again" in warning
    assert len(receiver.take()) == 3
    mend(log)
    for hours in (0, 0, 1, 0, 24):
        pass_by(query, hours)
        (warning,) = checks.check().warnings
        is_tried = hours > 0
        assert len(receiver.take()) == is_tried
        assert ("after several attempts; tried again from 20" in warning) != is_tried
    # the end is told after the beginning, and then all is as new
    receiver.pause = 0
    pass_by(query, 24)
    assert checks.check().warnings == ()
    assert receiver.titles() == [BEGIN, END]
    assert query("select tried from dwh.alert_incident") == [({},)]


def test_pauses_between_attempts_have_a_bound() -> None:
    now = datetime.now(UTC)
    pauses = [(Tries(count, now).next_at - now).total_seconds() / 60 for count in range(1, 20)]
    assert pauses[:6] == [0, 0, 10, 20, 40, 80]
    assert max(pauses) == pauses[-1] == 24 * 60


def test_process_that_ends_between_sending_and_noting_tells_again_and_no_more(
    checks: Checks, receiver: Receiver, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(log)
    with monkeypatch.context() as killed, pytest.raises(SystemExit):
        killed.setattr(stores.TableStore, "record_told", lambda *_: sys.exit(1))
        checks.check()
    for _ in range(2):
        checks.check()
    assert receiver.titles() == [BEGIN] * 2


def test_another_problem_is_told_too_and_nothing_is_over_before_a_check(
    checks: Checks, receiver: Receiver, log: Log
) -> None:
    checks.is_down = True
    checks.check()
    first = cannot(checks)
    checks.address = replace(checks.address, port=1)
    checks.check()
    assert receiver.titles() == [first, cannot(checks)]
    checks.is_down = False
    checks.address = replace(checks.address, port=int(first.split(":")[2].split("/")[0]))
    holding = connect(checks.address)
    with stores.TableStore(holding).locked(), pytest.MonkeyPatch.context() as patched:
        patched.setattr(stores, "LOCK_WAIT", 0.1)
        assert len(checks.check().open) == 2
    holding.close()
    assert receiver.titles() == []
    assert checks.check().open == ()
    assert len(receiver.take()) == 1


def test_table_that_is_no_longer_mirrored_ends_its_incident(
    checks: Checks, receiver: Receiver, log: Log
) -> None:
    log.add("extract", "mrr_fact_sales", "error", "gone")
    checks.check()
    checks.scope = Scope({"mrr_fact_sold": "sales"}, checks.scope.nodes)
    assert checks.check().open == ()
    begin = "a table is not up to date: mrr_fact_sales"
    assert receiver.titles() == [begin, f"over: {begin}"]


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
    ("values", "told", "urls"),
    [
        ({"ALERT_NO_RUN_HOURS": "0"}, "ALERT_NO_RUN_HOURS: '0' is not a number of hours", 1),
        ({"ALERT_BACKUP_HOURS": "1d"}, "ALERT_BACKUP_HOURS: '1d' is not a number of hours", 1),
        ({"ALERT_BACKUP_HOURS": "10001"}, "ALERT_BACKUP_HOURS: '10001' is not a number", 1),
        ({"ALERT_NO_RUN_HOURS": "\x01"}, "ALERT_NO_RUN_HOURS: '\\x01' is not a number", 1),
        ({"ALERT_URLS": "json://a json://\x01"}, "ALERT_URLS: address 2 contains a control", 1),
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


def test_wrong_age_is_told_by_the_channels(checks: Checks, receiver: Receiver, log: Log) -> None:
    error = SettingError("ALERT_NO_RUN_HOURS", "'x' is not a number of hours", "Set a number.")
    checks.settings = replace(checks.settings, errors=(error,))
    fail(log)
    checks.check()
    wrong = "the warehouse cannot be checked: ALERT_NO_RUN_HOURS"
    assert receiver.titles() == [BEGIN, wrong]
    checks.settings = replace(checks.settings, errors=())
    checks.check()
    assert receiver.titles() == [f"over: {wrong}"]


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
