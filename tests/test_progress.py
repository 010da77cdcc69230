"""What the command line shows while a run goes on, and of many tables at its end."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from commands.progress import ProgressPrinter, line_of
from commands.run import output
from commands.run.result import RunResult
from commands.status import RunStatus, Status, TableStatus, as_tables, messages
from commands.tables import show
from common.errors import TableError
from extract.extraction import TableOutcome
from extract.mirror.table import Applied
from extract.mirror.verification import Verification
from extract.progress import Progress
from extract.reading import Reading, Way
from tests.support.command_line import CommandLine

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
ONE = datetime(2026, 11, 1, 13, tzinfo=UTC)
NOW = datetime(2024, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that goes on where it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def written() -> StringIO:
    return StringIO()


@pytest.fixture
def printer(clock: Clock, written: StringIO) -> ProgressPrinter:
    """One whose output no terminal reads."""
    return ProgressPrinter(Console(file=written, soft_wrap=True, width=200), clock)


def test_table_under_way_is_told_every_five_seconds(
    printer: ProgressPrinter, clock: Clock, written: StringIO
) -> None:
    for second in range(21):
        clock.seconds = second
        for part in range(100):
            printer.progress(
                Progress("mrr_a", "compared", second * 100 + part + 1, 2_100, "ranges")
            )
    assert written.getvalue().splitlines() == [
        "mrr_a  501 of 2,100 ranges compared, 24%  100 ranges/s  16 s left",
        "mrr_a  1,001 of 2,100 ranges compared, 48%  100 ranges/s  11 s left",
        "mrr_a  1,501 of 2,100 ranges compared, 71%  100 ranges/s  6 s left",
        "mrr_a  2,001 of 2,100 ranges compared, 95%  100 ranges/s  1 s left",
    ]


def test_tables_that_are_done_quickly_are_a_line_each(
    printer: ProgressPrinter, clock: Clock, written: StringIO
) -> None:
    for number in range(20):
        clock.seconds += 1
        printer.progress(Progress(f"mrr_{number}", "begun", number + 1, 20, "tables"))
        printer.progress(Progress(f"mrr_{number}", "read", 20, 20))
        printer.progress(Progress("mrr_landing", "begun", 0, 20, "tables"))
        printer.print_line(f"mrr_{number}  done")
    assert written.getvalue().splitlines() == [f"mrr_{number}  done" for number in range(20)]


def test_tables_that_are_read_before_any_is_done_are_told(
    printer: ProgressPrinter, clock: Clock, written: StringIO
) -> None:
    for number in range(1, 13):
        clock.seconds += 1
        printer.progress(Progress(f"mrr_{number}", "begun", number, 696, "tables"))
        printer.progress(Progress(f"mrr_{number}", "read", 20, 20))
    printer.progress(Progress("mrr_landing", "begun", 0, 696, "tables"))
    clock.seconds += 9
    printer.progress(Progress("mrr_1", "compared", 1, 2, "ranges"))
    assert written.getvalue().splitlines() == [
        "mrr_5  20 of 20 rows read, 100%  table 5 of 696",
        "mrr_10  20 of 20 rows read, 100%  table 10 of 696",
        "696 tables read, landing them",
        "mrr_1  1 of 2 ranges compared, 50%",
    ]


@pytest.mark.parametrize(
    ("progress", "seconds", "done", "line"),
    [
        (Progress("a", "fetched", 1_200, 0), 1, 1_200, "a  1,200 rows fetched"),
        (
            Progress("a", "read", 5_000_000, 10_000_000),
            50,
            5_000_000,
            "a  5,000,000 of 10,000,000 rows read, 50%  100,000 rows/s  50 s left",
        ),
        # the optimizer guessed too low
        (Progress("a", "read", 120, 100), 10, 100, "a  120 rows read  10 rows/s"),
        (Progress("a", "landed", 0, 100), 10, 0, "a  0 of 100 rows landed, 0%"),
        (
            Progress("a", "compared", 2, 100, "ranges"),
            3_600,
            2,
            "a  2 of 100 ranges compared, 2%  2 d left",
        ),
        (Progress("a", "read", 0, 0), 0, 0, "a  0 rows read"),
    ],
    ids=["how many is unknown", "half", "more than expected", "nothing yet", "slow", "empty"],
)
def test_line_says_how_far_how_fast_and_how_long(
    progress: Progress, seconds: float, done: int, line: str
) -> None:
    assert line_of(progress, seconds, done) == line


def test_on_a_terminal_one_line_changes_in_its_place(clock: Clock, written: StringIO) -> None:
    terminal = Console(file=written, force_terminal=True, width=100, highlight=False)
    with ProgressPrinter(terminal, clock) as printer:
        for second in range(1, 4):
            clock.seconds = second
            printer.progress(Progress("mrr_[b]", "read", second, 3))
        printer.print_line("mrr_[b]  done")
        written_while_done = written.getvalue()
    text = written.getvalue()
    assert text == written_while_done
    assert "mrr_[b]  3 of 3 rows read, 100%" in text
    assert "mrr_[b]  done" in text
    # the cursor is shown again, also after an error
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_terminal_is_as_before_after_an_error(clock: Clock, written: StringIO) -> None:
    terminal = Console(file=written, force_terminal=True, width=100)
    with pytest.raises(KeyboardInterrupt), ProgressPrinter(terminal, clock) as printer:
        clock.seconds = 1
        printer.progress(Progress("a", "read", 1, 3))
        raise KeyboardInterrupt
    assert written.getvalue().rindex("\x1b[?25h") > written.getvalue().rindex("\x1b[?25l")


def verification(name: str, applied: Applied, is_equal: bool = True) -> Verification:
    return Verification(
        name, 9, 9, applied, 0, 0, 9, is_equal, NOW, NOW, NOW, "every row", fetched_rows=3
    )


def outcome(name: str, applied: int = 0, is_equal: bool = True) -> TableOutcome:
    return TableOutcome(
        name,
        0.1,
        verification=verification(name, Applied(updated=applied), is_equal),
        reading=Reading(Way.WINDOW),
    )


def result_of(outcomes: list[TableOutcome], kept: str = "") -> RunResult:
    advanced = [o.name for o in outcomes if not o.error and o.name != kept]
    return RunResult("run", 1.0, outcomes, None, None, advanced)


def names_shown(result: RunResult) -> list[str]:
    written = StringIO()
    Console(file=written, width=200).print(output.summary(result))
    return [line.split()[0] for line in written.getvalue().splitlines()[3:] if line.strip()]


def many(count: int) -> list[TableOutcome]:
    error = TableError("failed", "it failed", "Look.")
    outcomes = [TableOutcome("failed", 0.1, error=error), outcome("unequal", is_equal=False)]
    outcomes += [outcome("changed", applied=9), outcome("kept")]
    return outcomes + [outcome(f"same_{number}") for number in range(count - len(outcomes))]


def test_of_many_tables_the_summary_shows_what_changed_and_last_what_failed() -> None:
    result = result_of(many(51), kept="kept")
    assert names_shown(result) == ["changed", "kept", "failed", "unequal"]
    assert output.tables_not_shown(result) == "47 more tables, unchanged and equal"


def test_of_fifty_tables_all_are_shown_failures_last() -> None:
    result = result_of(many(50))
    shown = names_shown(result)
    assert len(shown) == 50 and shown[-2:] == ["failed", "unequal"]
    assert output.tables_not_shown(result) is None


def test_where_no_mark_could_advance_the_summary_is_as_short() -> None:
    result = replace(result_of(many(60)), advanced=[])
    assert names_shown(result) == ["changed", "failed", "unequal"]


def test_summary_counts_what_was_fetched_and_compared() -> None:
    written = StringIO()
    Console(file=written, width=200).print(output.summary(result_of([outcome("a", applied=2)])))
    head, _, row = written.getvalue().splitlines()[1:4]
    assert head.split() == (
        [
            "table",
            "read",
            "fetched",
            "compared",
            "inserted",
            "updated",
            "deleted",
            "rows",
            "equal",
            "mark",
        ]
    )
    assert row.split() == ["a", "window", "3", "9", "0", "2", "0", "9", "yes", "advanced"]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_narrow_terminal_folds_no_figure_of_the_summary(width: int) -> None:
    names = ["mrr_dim_customers", "mrr_fact_sales"]
    result = result_of([outcome(name, applied=2) for name in names])

    def lines(width: int) -> list[list[str]]:
        written = StringIO()
        show(output.summary(result), Console(file=written, width=width))
        assert max(map(len, written.getvalue().splitlines())) <= width
        return [line.split() for line in written.getvalue().splitlines() if line.strip()]

    shown, wide = lines(width), lines(200)
    assert shown[0] == wide[0]
    assert [row[1:] for row in shown[2:] if len(row) > 1] == [row[1:] for row in wide[2:]]
    if width > 90:
        assert [row[0] for row in shown[2:]] == names


@pytest.mark.parametrize(
    ("moments", "told"),
    [
        ([NOON, NOON], "  all tables of one moment  "),
        ([NOON, NOON, None], "  2 of 3 tables of one moment  "),
        ([NOON, ONE, NOON], "  2 of 3 tables of one moment  "),
        ([None, None], "0 rows applied  dbt: "),
    ],
    ids=["all", "but one that claims none", "but one of another", "none"],
)
def test_last_line_says_how_many_tables_are_of_one_moment(
    moments: list[datetime | None], told: str
) -> None:
    outcomes = [outcome(f"mrr_{number}") for number, _ in enumerate(moments)]
    outcomes = [
        replace(one, verification=replace(one.verification, moment=moment))
        for one, moment in zip(outcomes, moments, strict=True)
    ]
    assert told in output.last_line(result_of(outcomes))


def test_a_run_and_verify_tell_each_table(command_line: CommandLine) -> None:
    done = command_line.run()
    assert done.returncode == 0, done.stderr
    (rows,) = re.findall(r"mrr_fact_sales  (\d+) rows fetched, \1 applied", done.stderr)
    checked = command_line.run("verify")
    assert checked.returncode == 0, checked.stderr
    assert f"mrr_fact_sales  {rows} rows compared, 0 differ" in checked.stderr


def test_status_stands_on_one_line_each_in_80_columns() -> None:
    tables = [
        TableStatus("mrr_dim_customers_of_a_shop", str(NOON), NOON, 3723.0, 12345678, True, NOON),
        TableStatus("mrr_fact_sales", "2026-11-01 12:00:00.123456", NOON, 1.0, None, None, None),
    ]
    problem = "operational tidemark@127.0.0.1:33306: no connection\nHINT: Start it"
    runs = [RunStatus("20261121T100938-48f54b", "restore", "success", NOON, 1234.5, 12345678, None)]
    runs.append(RunStatus("20261121T100938-48f54c", "run", "error", NOON, None, None, problem))
    status = Status(tables, runs, NOON)
    written = StringIO()
    for table in as_tables(status):
        Console(file=written, width=80).print(table)
    lines = [line.rstrip() for line in written.getvalue().splitlines() if line.strip()]
    assert len(lines) == 8
    assert max(map(len, lines)) <= 80
    assert "2026-11-01 12:00:00 " in lines[3]
    assert list(messages(status)) == [
        "20261121T100938-48f54c  operational tidemark@127.0.0.1:33306: no connection"
    ]
