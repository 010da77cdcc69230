"""Which backups are kept, and what the list of them shows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backup import list_backups, newest_verified
from backup.repository import retention as module
from backup.repository.names import is_name
from backup.repository.retention import last_days, superfluous
from common.backup_settings import Retention


def backups(*times: str) -> list[Path]:
    """Backups of these times, such as `0131T12`, which exist by their names only."""
    return [Path("/nowhere") / f"2026{time}0000.000000Z" for time in times]


def kept(retention: Retention, paths: list[Path]) -> list[str]:
    gone = superfluous(paths, retention)
    return [path.name[4:11] for path in paths if path not in gone]


@pytest.mark.parametrize(
    ("retention", "expected"),
    [
        pytest.param(Retention(2), ["0303T06", "0303T18"], id="newest"),
        pytest.param(Retention(1, days=2), ["0302T18", "0303T18"], id="last of each day"),
        pytest.param(
            Retention(1, weeks=3), ["0222T06", "0301T18", "0303T18"], id="last of each week"
        ),
        pytest.param(
            Retention(1, months=9), ["0131T06", "0228T18", "0303T18"], id="last of each month"
        ),
        pytest.param(
            Retention(2, days=2, months=2),
            ["0228T18", "0302T18", "0303T06", "0303T18"],
            id="what any of them keeps",
        ),
    ],
)
def test_last_backup_of_a_period_is_kept(retention: Retention, expected: list[str]) -> None:
    paths = backups(
        *("0131T06", "0222T06", "0228T06", "0228T18", "0301T18"),
        *("0302T06", "0302T18", "0303T06", "0303T18"),
    )
    assert kept(retention, paths) == expected


def test_periods_without_a_backup_do_not_count() -> None:
    """A machine that was off for a month keeps what it had."""
    paths = backups("0101T06", "0102T06", "0301T06")
    assert kept(Retention(1, days=3), paths) == ["0101T06", "0102T06", "0301T06"]


@pytest.mark.parametrize(
    ("retention", "expected"),
    [
        pytest.param(Retention(2), ["0303", "0303", "0304"], id="newest"),
        pytest.param(Retention(1, days=4), ["0303", "0305", "0306"], id="last of each day"),
        pytest.param(Retention(1, months=2), ["0303", "0303", "0303"], id="last of each month"),
    ],
)
def test_last_day_of_a_backup_is_that_on_which_one_a_day_replaces_it(
    retention: Retention, expected: list[str]
) -> None:
    paths = backups("0301T06", "0301T18", "0302T06")
    ends = last_days(paths, retention)
    assert [f"{ends[path]:%m%d}" for path in paths] == expected


def test_newest_verified_backup_has_no_last_day(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = backups("0301T06", "0302T06", "0303T06")
    monkeypatch.setattr(module, "is_verified", lambda path: path in paths[:2])
    ends = last_days(paths, Retention(1))
    assert ends[paths[1]] is None and ends[paths[0]] and ends[paths[2]]


def test_a_year_of_two_backups_a_day_leaves_what_was_asked_for() -> None:
    at = datetime(2025, 3, 1, 6, tzinfo=UTC)
    paths: list[Path] = []
    for _ in range(730):
        paths.append(Path("/nowhere") / at.strftime("%Y%m%dT%H%M%S.%fZ"))
        gone = superfluous(paths, Retention(2, days=7, weeks=4, months=12))
        paths = [path for path in paths if path not in gone]
        at += timedelta(hours=12)
    # the newest two, the six days before, two weeks that end before these, eleven months
    assert len(paths) == 2 + 6 + 2 + 11
    assert len({path.name[:6] for path in paths}) == 12


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20260131T235959.000001Z", True),
        ("20260131T235959.000001Z.partial", False),
        ("20261399T235959.000001Z", False),
        ("lost+found", False),
    ],
)
def test_only_a_time_is_the_name_of_a_backup(name: str, expected: bool) -> None:
    assert is_name(name) == expected


def test_list_shows_what_each_backup_contains(save, prove, directory) -> None:
    older, newer = save(), save()
    verified = prove(older.path.name)
    first, second = list_backups(directory)
    assert (first.name, second.name) == (newer.path.name, older.path.name)
    assert first.verification is None
    assert second.verification == verified
    assert first.summary is not None
    assert (first.summary.tables, first.summary.rows) == (newer.tables, newer.rows)
    assert first.summary.size == newer.size
    assert first.summary.layers == ("mrr", "stg", "dwh")
    assert newest_verified(directory) == second


def test_list_names_the_backup_that_lost_a_file(save, prove, directory) -> None:
    saved = save()
    prove()
    (saved.path / "mrr" / "toc.dat").unlink()
    (listed,) = list_backups(directory)
    assert "mrr/toc.dat: missing" in str(listed.damage)
    assert newest_verified(directory) is None


def test_list_of_no_directory_is_empty(directory) -> None:
    assert list_backups(directory) == []


def test_newest_verified_backup_is_kept_in_addition_and_keeps_no_later_one(monkeypatch) -> None:
    paths = backups(*(f"{month:02}{day:02}T06" for month in range(1, 8) for day in range(1, 29)))
    monkeypatch.setattr(module, "is_verified", lambda path: path in paths[2:4])
    assert kept(Retention(7), paths) == ["0104T06", *(f"07{day}T06" for day in range(22, 29))]
