"""Random values of every type, in wide tables: what the mirror holds is what the source holds.

Both sides are asked with SELECTs of the tests' own, and compared as Python understands them.
TIDEMARK_CELLS asks for more of them, and TIDEMARK_SEED for those of an earlier run.
"""

import os
import random
from collections.abc import Callable

import pytest

from extract.compare.findings import Findings
from extract.ranges import KeyRange
from tests.support.mirror import Mirror
from tests.support.random_tables import KEYS, RandomTable, unlike
from tests.support.random_values import KINDS, LATIN1, UNICODE, texts
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]
CELLS = int(os.environ.get("TIDEMARK_CELLS", "50000"))
ROWS = CELLS // (len(KINDS) * len(KEYS))


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("TIDEMARK_SEED") or random.randrange(2**32))
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.fixture
def ranges_compared_by_row(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The table's name for each range that is compared row by row."""
    compared = []
    compare_rows = Findings.compare_rows

    def counted(self: Findings, key_range: KeyRange) -> int:
        compared.append(self._mirror.name)
        return compare_rows(self, key_range)

    monkeypatch.setattr(Findings, "compare_rows", counted)
    return compared


def test_random_values_of_every_type_arrive_as_they_are(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    chance: random.Random,
    ranges_compared_by_row: list[str],
) -> None:
    mirror.limit(range_rows=50)
    assert len(KEYS) * len(KINDS) * ROWS >= 20_000
    tables = [RandomTable(name, KINDS, ROWS) for name in KEYS]
    for fuzzed in tables:
        fuzzed.create(operational, chance)
    declared = [mirror.table(name, cursor=None) for name in KEYS]
    outcomes = mirror.extract(*declared)
    assert [str(outcome.error) for outcome in outcomes if outcome.error] == []
    for fuzzed in tables:
        source, stored = fuzzed.at_source(operational), fuzzed.in_mirror(query)
        assert unlike(fuzzed, source, stored) == []
        # a date that is none is understood as None: it must be NULL in the mirror, and noted
        assert fuzzed.noted(query) == fuzzed.to_be_noted(operational)
    ranges_compared_by_row.clear()
    again = mirror.extract(*declared)
    assert [outcome.applied.rows for outcome in again] == [0] * len(KEYS)
    assert all(outcome.verification.is_equal for outcome in (*outcomes, *again))
    assert ranges_compared_by_row == []


def test_random_texts_with_nul_are_pictured_and_noted(
    operational: OperationalDatabase, mirror: Mirror, query: Query, chance: random.Random
) -> None:
    kinds = {
        "name": texts("varchar(40)", UNICODE + "\0\0"),
        "old_name": texts("varchar(40) character set latin1", LATIN1 + "\0\0"),
        "wide_name": texts("char(20) character set ucs2", LATIN1 + "\0\0"),
        "tale": texts("longtext", LATIN1 + "\0\0\0", 60),
    }
    fuzzed = RandomTable("whole", kinds, ROWS)
    fuzzed.create(operational, chance)
    table = mirror.table("whole", cursor=None)
    mirror.extract_one(table)
    source = fuzzed.at_source(operational)
    pictured = [[text and text.replace("\0", "\u2400") for text in row] for row in source]
    assert unlike(fuzzed, pictured, fuzzed.in_mirror(query)) == []
    assert fuzzed.noted(query) == {
        (number, column)
        for number, row in enumerate(source)
        for column, text in zip(kinds, row, strict=True)
        if text and "\0" in text
    }
    assert mirror.extract_one(table).applied.rows == 0
