"""When people buy: more each year, most before Christmas, on weekends and in the evening."""

from bisect import bisect_right
from datetime import date, timedelta
from itertools import accumulate
from random import Random

MONTHS = (0.8, 0.8, 0.9, 0.95, 1.0, 0.95, 0.9, 0.85, 0.95, 1.0, 1.5, 1.7)
WEEKDAYS = (0.9, 0.85, 0.85, 0.9, 1.0, 1.3, 1.4)
HOURS = (2, 1, 1, 1, 1, 2, 4, 6, 8, 10, 11, 12, 13, 12, 11, 11, 12, 14, 18, 22, 24, 20, 12, 6)
GROWTH = 0.6
"""By how much the last day exceeds the first, apart from seasons."""
DAY = 86_400


class Seasons:
    """The days of a history, up to the one before `end`; a moment is a second since the first."""

    def __init__(self, end: date, days: int) -> None:
        self._first = end - timedelta(days=days)
        self._days = [self._first + timedelta(days=number) for number in range(days)]
        self._texts = [day.isoformat() for day in self._days]
        self._until = list(
            accumulate(
                MONTHS[day.month - 1] * WEEKDAYS[day.weekday()] * (1 + GROWTH * number / days)
                for number, day in enumerate(self._days)
            )
        )
        self._hours = list(accumulate(HOURS))
        self.end = days * DAY

    def moment(self, chance: Random, since: int = 0) -> int:
        """A moment of the day of `since` or of a later one, as people buy."""
        before = self._until[since // DAY - 1] if since >= DAY else 0.0
        drawn = before + chance.random() * (self._until[-1] - before)
        day = min(bisect_right(self._until, drawn), len(self._days) - 1)
        hour = bisect_right(self._hours, chance.random() * self._hours[-1])
        return day * DAY + hour * 3600 + int(chance.random() * 3600)

    def is_before_christmas(self, moment: int) -> bool:
        return self._days[moment // DAY].month in (11, 12)

    def text(self, moment: int) -> str:
        """The moment as SQL writes it."""
        day, second = divmod(moment, DAY)
        return f"{self._texts[day]} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
