"""What `status` shows of the last consumer."""

import json
from pathlib import Path

from streaming.database import Written
from streaming.statistics import Counter, read_statistics
from tests.support.command_line import CommandLine


def test_status_shows_the_lag_and_the_rate_of_the_last_consumer(command_line: CommandLine) -> None:
    file = command_line.folder / ".local" / "stream.json"
    assert "stream" not in command_line.run("status").stdout
    counter = Counter("customers", lambda: 7, file)
    counter.add(Written(applied=90, superseded=1, invalid=9), dead_letters=8)
    told = counter.end("stopped")
    done = command_line.run("status")
    assert done.returncode == 0
    assert f"stream customers  stopped, {told.written_at:%Y-%m-%d %H:%M:%S} UTC  " in done.stdout
    rate = f"100 messages, {told.rate:.0f}/s, lag 7: 90 applied, 1 superseded, 9 invalid"
    assert rate in done.stdout
    shown = json.loads(command_line.run("status", "--json").stdout)["result"]["stream"]
    assert (shown["lag"], shown["rate"], shown["dead_letters"]) == (7, told.rate, 8)


def test_statistics_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    (tmp_path / "stream.json").write_text("{")
    assert read_statistics(tmp_path / "stream.json") is None
    assert read_statistics(tmp_path / "none.json") is None
