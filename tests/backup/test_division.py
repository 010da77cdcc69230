"""Which layers are dumped at once, and by how many sessions each."""

import pytest

from backup.saving import dumper
from backup.saving.division import LayerSize, divided

MANY = LayerSize(total=100, largest=5)
LARGE = LayerSize(total=100, largest=95)
SMALL = LayerSize(total=4, largest=2)
EMPTY = LayerSize(total=0, largest=0)
APART = [("mrr",), ("stg",), ("dwh",)]
BESIDE = [("mrr", "dwh"), ("stg",)]


@pytest.mark.parametrize("sessions", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("mrr", [MANY, LARGE, SMALL, EMPTY], ids=lambda size: str(size.total))
@pytest.mark.parametrize("dwh", [MANY, LARGE, SMALL, EMPTY], ids=lambda size: str(size.total))
def test_each_layer_is_dumped_once_by_all_sessions(
    mrr: LayerSize, dwh: LayerSize, sessions: int
) -> None:
    groups = divided({"mrr": mrr, "stg": EMPTY, "dwh": dwh}, sessions)
    assert sorted(layer for group in groups for layer in group) == ["dwh", "mrr", "stg"]
    for group in groups:
        assert sum(group.values()) == sessions
        assert min(group.values()) >= 1


@pytest.mark.parametrize(
    ("mrr", "dwh", "sessions", "expected"),
    [
        (LARGE, LARGE, 1, APART),
        (LARGE, LARGE, 2, BESIDE),
        (MANY, MANY, 2, APART),
        (MANY, MANY, 4, APART),
        (LARGE, MANY, 2, BESIDE),
        (SMALL, EMPTY, 2, APART),
    ],
)
def test_large_tables_of_two_layers_are_dumped_beside_each_other(
    mrr: LayerSize, dwh: LayerSize, sessions: int, expected: list[tuple[str, ...]]
) -> None:
    groups = divided({"mrr": mrr, "stg": EMPTY, "dwh": dwh}, sessions)
    assert [tuple(sorted(group, reverse=True)) for group in groups] == expected


def test_layer_of_many_tables_has_more_sessions_than_one_of_a_large_table() -> None:
    groups = divided({"mrr": MANY, "stg": SMALL, "dwh": LARGE}, 3)
    assert groups == [{"mrr": 2, "dwh": 1}, {"stg": 3}]


def test_layers_that_are_dumped_beside_each_other_are_restored(
    ask, save, prove, new_database, bring_back, monkeypatch: pytest.MonkeyPatch
) -> None:
    for layer in ("mrr", "dwh"):
        ask(f"create table {layer}.large as select n from generate_series(1, 50000) as n")
        ask(f"analyze {layer}.large")
    chosen = []

    def remembered(sizes: dict[str, LayerSize], sessions: int) -> list:
        chosen.append(divided(sizes, sessions))
        return chosen[-1]

    monkeypatch.setattr(dumper, "divided", remembered)
    saved = save(jobs=2)
    assert chosen == [[{"mrr": 1, "dwh": 1}, {"stg": 2}]]
    assert prove(jobs=2).rows == saved.rows
    assert bring_back(into=new_database, jobs=2).rows == saved.rows
