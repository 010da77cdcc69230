"""How the dashboard writes numbers and times."""

from datetime import UTC, date, datetime

import pytest

from dashboard.words import in_words, moment, number, seconds_as_text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "EUR", "—"),
        (0, "", "0"),
        (12.345, "", "12.35"),
        (1234, "EUR", "1,234 EUR"),
        (999_999.4, "EUR", "999,999 EUR"),
        (12_345_678, "EUR", "12.35 million EUR"),
        (-1234.5, "EUR", "-1,234 EUR"),
        (999_999.999, "", "1.00 million"),
        (-0.004, "EUR", "0.00 EUR"),
        (0.25, "%", "25.0 %"),
        (-0.00001, "%", "0.0 %"),
    ],
)
def test_number_has_its_unit_and_no_more_digits_than_tell(
    value: float | None, unit: str, text: str
) -> None:
    assert number(value, unit) == text


def test_parts_of_time_have_names() -> None:
    start = date(2026, 4, 1)
    grains = ("day", "week", "month", "quarter", "year")
    assert [in_words(start, grain) for grain in grains] == [
        "1 April 2026",
        "1 April 2026",
        "April 2026",
        "2026 Q2",
        "2026",
    ]


def test_times_and_spans_are_short() -> None:
    assert moment(None) == "never"
    assert moment(datetime(2026, 4, 1, 12, 5, tzinfo=UTC)) == "2026-04-01 12:05 UTC"
    assert list(map(seconds_as_text, (None, 3.21, 1234))) == ["—", "3.2 s", "1,234.0 s"]
