"""Which layers are dumped at once, and by how many sessions each."""

import pytest

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
