"""Which backups are kept."""

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from pathlib import Path

from backup.repository.names import begun_at
from backup.repository.verification import is_verified
from common.backup_settings import Retention

Period = Callable[[datetime], Hashable]


def superfluous(backups: Sequence[Path], retention: Retention) -> list[Path]:
    """The backups that are not kept, of all in a directory, oldest first.

    The newest verified backup is kept in addition, however old it is.
    """
    kept = {*backups[-retention.newest :]}
    kept.update([path for path in backups if is_verified(path)][-1:])
    periods: list[tuple[int, Period]] = [
        (retention.days, lambda at: at.date()),
        (retention.weeks, lambda at: at.isocalendar()[:2]),
        (retention.months, lambda at: (at.year, at.month)),
    ]
    for count, period in periods:
        last_of = {period(begun_at(path)): path for path in backups}
        kept.update([*last_of.values()][-count:] if count else [])
    return [path for path in backups if path not in kept]
