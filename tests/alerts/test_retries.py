"""Channels that refuse, answer late, or are wrong: nothing is lost, nothing is endless."""

import re
import sys
from datetime import UTC, datetime

import pytest

from alerts import (
    AlertSettings,
    stores,
)
from alerts import channels as channels_module
from alerts.incidents import Tries
from tests.alerts.conftest import Checks, Log
from tests.alerts.sending import BEGIN, END, fail, mend, pass_by
from tests.support.receiver import Receiver, receiving
from tests.support.servers import Query


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
