"""The consumer is killed at many moments: nothing is lost, and nothing is written twice."""

import time
from pathlib import Path
from random import Random

from tests.support.streams import Stream, consuming, simulated
from tests.support.waiting import wait_for

POINTS = (
    *("stream_checked", "stream_begun", "stream_customers_written", "stream_invalid_written"),
    *("stream_offsets_written", "stream_written", "stream_committed", "stream_told"),
)
ROUNDS, BY_CHANCE = 2, 14
MESSAGES = 400


def test_killed_consumer_loses_nothing_and_writes_nothing_twice(
    project: Path, stream: Stream, tmp_path: Path
) -> None:
    reached = tmp_path / "reached"
    kills = 0
    for number, point in enumerate(POINTS * ROUNDS):
        stream.send(simulated(MESSAGES, seed=number))
        with consuming(project, stream, TIDEMARK_PAUSE=f"{point}:{tmp_path}") as process:
            wait_for(reached.exists, point)
            assert process.poll() is None
        reached.unlink()
        kills += 1
    chance = Random(7)
    for number in range(BY_CHANCE):
        stream.send(simulated(20 * MESSAGES, seed=100 + number))
        before = stream.read()
        with consuming(project, stream):
            wait_for(lambda read=before: stream.read() > read, "it reads")
            time.sleep(chance.uniform(0, 1.2))
        kills += 1
    with consuming(project, stream, "--until-end") as last:
        said, wrong = last.communicate(timeout=120)
        assert last.returncode == 0, wrong
    print(f"{kills} kills, {len(stream.sent)} messages; the last consumer: {said.strip()}")
    stream.check()
    broken = {
        (place.partition, place.offset) for place, one in stream.sent.items() if one.is_broken
    }
    letters = stream.dead_letters()
    assert {(letter["partition"], letter["offset"]) for letter in letters} == broken
    assert stream.query("select count(*) from customers_invalid where told_at is null") == [(0,)]
