"""Which backups are kept."""

from collections.abc import Callable, Hashable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from backup.repository.names import begun_at
from backup.repository.verification import is_verified
from common.backup_settings import Retention

Period = Callable[[datetime], Hashable]


def superfluous(backups: Sequence[Path], retention: Retention) -> list[Path]:
    """The backups that are not kept, of all in a directory, oldest first.

    The newest verified backup is kept in addition, however old it is.
    """
    kept = _kept([begun_at(path) for path in backups], retention)
    verified = [path for path in backups if is_verified(path)][-1:]
    return [path for path in backups if begun_at(path) not in kept and path not in verified]


def last_days(backups: Sequence[Path], retention: Retention) -> dict[Path, date | None]:
    """The day on which each backup is removed, if there is one backup a day from now on.

    None for the newest verified one, which is kept until a later one is verified.
    """
    times = [begun_at(path) for path in backups]
    ends: dict[Path, date | None] = {path: None for path in backups if is_verified(path)}
    ends = dict([*ends.items()][-1:])
    left = {begun_at(path): path for path in backups if path not in ends}
    while left:
        times.append(times[-1] + timedelta(days=1))
        kept = _kept(times, retention)
        for at in [at for at in left if at not in kept]:
            ends[left.pop(at)] = times[-1].date()
    return ends


def _kept(times: Sequence[datetime], retention: Retention) -> set[datetime]:
    """The times of the backups that are kept, of all times, the oldest first."""
    kept = {*times[-retention.newest :]}
    periods: list[tuple[int, Period]] = [
        (retention.days, lambda at: at.date()),
        (retention.weeks, lambda at: at.isocalendar()[:2]),
        (retention.months, lambda at: (at.year, at.month)),
    ]
    for count, period in periods:
        last_of = {period(at): at for at in times}
        kept.update([*last_of.values()][-count:] if count else [])
    return kept
