"""One message when an incident begins and one when it is over, whatever comes between."""

import json
import logging
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from apprise.plugins.custom_json import NotifyJSON
from psycopg2.extensions import connection as Connection

from alerts import (
    AlertSettings,
    read_alert_settings,
    stores,
)
from alerts.findings import Finding, Scope
from alerts.incidents import Incident
from alerts.messages import messages_for
from common.errors import SettingError
from tests.alerts.conftest import Checks, Log
from tests.alerts.sending import BEGIN, END, SECRET, cannot, channel_of, fail, mend
from tests.support.receiver import Receiver, receiving
from tests.support.servers import Query
from warehouse.connection import connect


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


def of_file(folder: Path, *urls: str) -> AlertSettings:
    """The settings with addresses in a file."""
    (folder / "urls").write_text("\n".join(urls), "utf-8")
    settings = read_alert_settings({"ALERT_URLS_FILE": str(folder / "urls")}, folder / ".env")
    assert len(settings.urls) == len(urls)
    return settings


def all_rows(query: Query) -> list[str]:
    """Everything in the control tables and in the state."""
    tables = query(
        "select format('%I.%I', schemaname, tablename) from pg_tables"
        " where schemaname in ('dwh', 'mrr', 'mrr_state')"
    )
    assert len(tables) > 15
    return [str(query(f"select * from {table}")) for (table,) in tables]


def test_secret_of_an_address_is_told_nowhere(
    checks: Checks,
    receiver: Receiver,
    log: Log,
    query: Query,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = of_file(tmp_path, receiver.url(f"alice:{SECRET}@"), f"slack://{SECRET}/{SECRET}/x")
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
    said += all_rows(query)
    said += [caplog.text, json.dumps(receiver.received), checks.state_file.read_text("utf-8")]
    assert SECRET not in "\n".join(said)
    assert receiver.titles() == [cannot(checks), BEGIN, f"over: {cannot(checks)}"]
    account = b64encode(f"alice:{SECRET}".encode()).decode()
    assert set(receiver.authorizations) == {f"Basic {account}"}


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


def test_markup_in_a_message_stays_text(checks: Checks, receiver: Receiver, log: Log) -> None:
    problem = 'relation "<b>_x_</b>" &amp; *y* {z} %s does not exist'
    log.add("dbt", "dwh_x", "error", problem)
    checks.check()
    (message,) = receiver.take()
    assert problem in message["message"]


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
