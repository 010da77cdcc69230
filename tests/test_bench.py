"""The instruments of the measurements measure what they say."""

import os
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import embedded
from bench import laboratory, machine, tidemark_load
from bench.picture import NAME_HEIGHT, PLOT_LEFT, PLOT_TOP, Bar, Line, bars, lines
from bench.processes import Command, CommandFailed, Cost, measure
from bench.timeline import LAST_PART, OTHER_NODES, TESTS, Run
from bench.tools import LOADED
from common.settings import Address, settings_of
from tests.support.servers import OperationalDatabase

MEGABYTE = 1024 * 1024
GRANDCHILD = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time; held = b'x' * {bytes}; time.sleep(0.5)"])
"""
WORK = """
import time
until = time.process_time() + {seconds}
while time.process_time() < until:
    pass
"""
RUN_LOG = [
    "2026-01-31 23:59:58,500 INFO 1 tidemark.warehouse.run_log run run: started",
    "2026-01-31 23:59:59,000 INFO 1 tidemark.warehouse.run_log extract mrr_a: success in 0.25 s ",
    "2026-02-01 00:00:04,500 INFO 1 tidemark.warehouse.run_log run run: success in 6.00 s ",
]
DBT_LOG = [
    "23:59:59.500000 [info ] [MainThread]: Running with dbt=1",
    "00:00:00.500000 [info ] [MainThread]: Performance info: perf_info.json",
    "00:00:00.600000 [info ] [MainThread]: Running with dbt=1",
    "00:00:01.000000 [info ] [MainThread]: 2 of 2 OK hook: tidemark.on-run-start.1 [OK in 0.04s]",
    "00:00:02.000000 [info ] [Thread-1 (]: 1 of 2 OK created view a [OK in 1.00s]",
    "00:00:03.900000 [info ] [Thread-2 (]: 2 of 2 PASS unique_a_id [PASS in 3.00s]",
    "00:00:04.000000 [info ] [MainThread]: 1 of 2 START hook: tidemark.on-run-end.0 [RUN]",
    "00:00:04.250000 [info ] [MainThread]: Done. PASS=2 WARN=0",
]


def python(text: str) -> Command:
    return Command([sys.executable, "-c", text], {})


def test_memory_of_a_grandchild_is_counted() -> None:
    cost, _ = measure(python(GRANDCHILD.format(bytes=100 * MEGABYTE)), {})
    assert 100 * MEGABYTE < cost.peak_bytes < 160 * MEGABYTE


def test_cpu_of_a_command_is_its_own_and_not_the_time_it_took() -> None:
    cost, _ = measure(python(WORK.format(seconds=0.3) + "time.sleep(0.7)"), {})
    assert 0.3 <= cost.cpu < 0.6
    assert cost.seconds >= 1.0


def test_cpu_of_a_server_counts_from_when_the_command_began() -> None:
    cost, _ = measure(python("import time; time.sleep(0.2)"), {"this": os.getpid()})
    # this process, its child included, did no more than wait
    assert cost.server_cpu["this"] < 0.5


def test_what_follows_the_line_is_timed_apart() -> None:
    text = "import time; print('half', flush=True); time.sleep(0.5)"
    _, after = measure(python(text), {}, end="half")
    assert after >= 0.5


def test_failed_command_says_why() -> None:
    with pytest.raises(CommandFailed, match="no such thing"):
        measure(python("raise SystemExit('no such thing')"), {})


def test_parts_of_a_run_add_up_to_it_over_midnight() -> None:
    run = Run(Cost(8.0, 0, 0.0, {}, 0.0), 86_397.0, 5.0, RUN_LOG, DBT_LOG)
    parts = run.parts()
    assert sum(parts.values()) == pytest.approx(8.0)
    assert list(parts.values()) == pytest.approx([1.5, 1.0, 1.0, 0.5, 0.75, 2.25, 0.25, 0.25, 0.5])
    assert parts[TESTS] == pytest.approx(3 * parts[OTHER_NODES])
    assert list(parts)[-1] == LAST_PART
    assert run.extract_seconds() == 0.25


def test_picture_is_an_svg_with_a_bar_for_each() -> None:
    rows = [Bar("a <b>", 2.0, "2"), Bar("ours", 4.0, "4", is_ours=True)]
    root = ElementTree.fromstring(bars("title", "below", rows))
    wide = [float(each.get("width", 0)) for each in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert wide[2] == 2 * wide[1]


def test_picture_of_lines_begins_at_zero_and_names_each() -> None:
    drawn = [Line("a <b>", [(1, 10), (4, 40)]), Line("ours", [(1, 5), (2, 10)])]
    root = ElementTree.fromstring(lines("title", "below", "rows", "seconds", drawn))
    points = [
        [tuple(map(float, point.split(","))) for point in each.get("points", "").split()]
        for each in root.iter("{http://www.w3.org/2000/svg}polyline")
    ]
    # the lowest line is drawn first
    (_, low), (_, middle) = points[0]
    (left, _), (right, top) = points[1]
    # the axes meet a third of the way before the first point, and 40 is as high as the plot
    zero = left - (right - left) / 3
    assert (zero, top) == pytest.approx((PLOT_LEFT, PLOT_TOP), abs=0.2)
    assert low - middle == pytest.approx((low - top) / 7, abs=0.2)
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a <b>", "ours", "40"} <= set(texts)


def test_names_of_lines_that_end_together_do_not_overlap() -> None:
    drawn = [Line("one", [(1, 40), (4, 40)]), Line("two", [(1, 39), (4, 39)])]
    root = ElementTree.fromstring(lines("title", "below", "rows", "seconds", drawn))
    levels = {
        each.text: float(each.get("y", 0)) for each in root.iter("{http://www.w3.org/2000/svg}text")
    }
    assert levels["two"] - levels["one"] >= NAME_HEIGHT


def test_code_that_changes_while_it_is_measured_voids_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "PROJECT", tmp_path)
    module = tmp_path / "extract" / "reader.py"
    module.parent.mkdir()
    module.write_text("rows = 1\n", encoding="utf-8")
    with machine.unchanged_code():
        pass
    with pytest.raises(machine.CodeChanged, match="measure again"), machine.unchanged_code():
        module.write_text("rows = 2\n", encoding="utf-8")


def test_load_says_where_its_proof_begins(
    servers: embedded.Servers,
    operational: OperationalDatabase,
    warehouse: Address,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    operational.execute("create table media (id int primary key, updated_at timestamp)")
    monkeypatch.setattr(laboratory, "DATABASE", operational.name)
    monkeypatch.setattr(sys, "argv", ["bench.tidemark_load", "media"])
    for prefix, address in (("OPERATIONAL", servers.operational), ("WAREHOUSE", warehouse)):
        for name, value in settings_of(prefix, address).items():
            monkeypatch.setenv(name, value)
    tidemark_load.main()
    assert capsys.readouterr().out == f"{LOADED}\n"
