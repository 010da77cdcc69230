"""A mirror that was damaged behind our back: `verify` names each key, `--repair` mends it.

1,000 damages are planted; TIDEMARK_PLANTS plants more, and TIDEMARK_SEED those of an earlier run.
"""

import os
import random
from collections.abc import Callable

import pytest

from commands.verify import VerifyResult, verify_tables
from common.errors import ExitCode
from tests.support.damage import Saboteur
from tests.support.mirror import Mirror
from tests.support.random_tables import KEYS, RandomTable, unlike
from tests.support.random_values import KINDS
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]
PLANTS = int(os.environ.get("TIDEMARK_PLANTS", "1000")) // len(KEYS)
"""In each table, whose rows are cut into ranges where the key allows it."""
ROWS = 2 * PLANTS


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("TIDEMARK_SEED") or random.randrange(2**32))
    print(f"seed {seed}")
    return random.Random(seed)


def named(result: VerifyResult) -> dict[str, set[str]]:
    """The keys that a comparison named, by table."""
    assert [str(table.error) for table in result.tables if table.error] == []
    return {table.name: set(table.verification.differences) for table in result.tables}


def plant(saboteur: Saboteur) -> dict[str, str]:
    """Damage the rows of a table; what was done to each, by its key."""
    damages: dict[str, str] = {}
    for _ in range(PLANTS):
        damages |= saboteur.plant()
    return damages


def test_every_planted_damage_is_named_and_mended(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    chance: random.Random,
) -> None:
    mirror.limit(differences_named=10 * PLANTS, range_rows=100)
    tables = [RandomTable(name, KINDS, ROWS) for name in KEYS]
    for table in tables:
        table.create(operational, chance)
    declared = [mirror.table(name, cursor=None) for name in KEYS]
    mirror.extract(*declared)
    assert verify_tables(mirror.endpoints, declared, False, {}).exit_code == ExitCode.DONE

    planted = {table.name: plant(Saboteur(query, chance, table)) for table in tables}
    result = verify_tables(mirror.endpoints, declared, False, {})
    found = named(result)
    missed = {
        name: {key: damage for key, damage in damages.items() if key not in found[name]}
        for name, damages in planted.items()
    }
    assert missed == {name: {} for name in KEYS}
    assert found == {name: set(damages) for name, damages in planted.items()}
    assert [table.verification.different_rows for table in result.tables] == [
        len(damages) for damages in planted.values()
    ]
    assert result.exit_code == ExitCode.FAILED

    verify_tables(mirror.endpoints, declared, True, {})
    assert verify_tables(mirror.endpoints, declared, False, {}).exit_code == ExitCode.DONE
    for table in tables:
        assert unlike(table, table.at_source(operational), table.in_mirror(query)) == []
