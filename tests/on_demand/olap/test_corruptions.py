"""What somebody spoils in ClickHouse is found, and repaired."""

import os
import random

import pytest

from publishing.errors import PublicationDiffers
from tests.support.published import Shop

CORRUPTIONS = int(os.environ.get("TIDEMARK_CORRUPTIONS", "1000"))
VALUES = {
    "label": ("'spoilt'", "''", "null", "concat(ifNull(label, ''), ' ')", "'N'", "'\\\\N'"),
    "amount": ("ifNull(amount, 0) + 0.01", "null", "0", "-ifNull(amount, 1) - 1"),
    "ratio": ("1.5", "nan", "inf", "null"),
    "small": ("0.5", "null"),
    "is_paid": ("not ifNull(is_paid, false)", "null", "true"),
    "facts": ("'{}'", "null", "concat(ifNull(facts, ''), ' ')"),
    "bytes": ("'00'", "''", "null"),
    "made_at": ("addMicroseconds(made_at, 1)", "null", "addDays(made_at, 1)"),
    "local_at": ("subtractMicroseconds(local_at, 1)", "null"),
    "lasts": ("'1 mon'", "null"),
    "at_time": ("'10:00:00'", "null"),
    "code": ("generateUUIDv4()", "null"),
    "tags": ("'[]'", "null", "''"),
}


def spoil_a_value(chance: random.Random) -> str:
    column = chance.choice(list(VALUES))
    value = chance.choice(VALUES[column])
    row = chance.randint(1, 1000)
    return f"alter table TABLE update {column} = {value} where id = {row}"


def delete_a_row(chance: random.Random) -> str:
    return f"alter table TABLE delete where id = {chance.randint(1, 1000)}"


def move_a_row(chance: random.Random) -> str:
    """A copy of a row in another partition, which hides the right one."""
    row = chance.randint(1, 1000)
    return (
        "insert into TABLE select * replace (addDays(ifNull(day, toDate32('2025-06-01')), 400) as"
        f" day, 9223372036854775807 as _tidemark_version) from TABLE where id = {row}"
    )


def mark_as_deleted(chance: random.Random) -> str:
    row = chance.randint(1, 1000)
    return (
        "insert into TABLE select * replace (1 as _tidemark_deleted,"
        f" 9223372036854775807 as _tidemark_version) from TABLE final where id = {row}"
    )


def swap_two_values(chance: random.Random) -> str:
    """A pair of differences that cancel out in a sum."""
    one, other = chance.sample(range(1, 1001), 2)
    return (
        "alter table TABLE update amount = ifNull(amount, 0) + if(id = "
        f"{one}, 1, -1) where id in ({one}, {other})"
    )


SPOILS = (spoil_a_value, delete_a_row, move_a_row, mark_as_deleted, swap_two_values)


def test_planted_corruptions_are_found_and_repaired(shop: Shop) -> None:
    """Each of a thousand is found before the next one is planted."""
    seed = int(os.environ.get("TIDEMARK_SEED", "0")) or random.SystemRandom().randrange(10**9)
    print(f"TIDEMARK_SEED={seed}")
    chance = random.Random(seed)
    shop.publish()
    before, found, without_effect = seen(shop), 0, 0
    while found < CORRUPTIONS:
        statement = chance.choice(SPOILS)(chance)
        shop.corrupt(statement)
        is_spoilt = seen(shop) != before
        outcome = shop.publish(must_compare=True)
        assert outcome.error is None, (statement, outcome.error)
        assert outcome.is_repaired == is_spoilt, statement
        found += is_spoilt
        without_effect += not is_spoilt
        if found % 20 == 0:
            assert seen(shop) == before, statement
    print(f"{found} corruptions found; {without_effect} statements changed no row")


def seen(shop: Shop) -> list[list[str]]:
    """What a reader sees, floats by their bits, since no NaN equals another one."""
    return shop.target.client.rows(
        "select * replace (hex(reinterpretAsUInt64(ratio)) as ratio,"
        " hex(reinterpretAsUInt32(small)) as small)"
        f" from {shop.target.place.database}.mrr_orders order by id"
    )


def test_difference_is_told_and_left_if_nothing_is_to_be_repaired(shop: Shop) -> None:
    shop.publish()
    shop.corrupt("alter table TABLE update label = 'x' where id = 7")
    outcome = shop.publish(must_compare=True, may_repair=False)
    assert isinstance(outcome.error, PublicationDiffers)
    assert str(outcome.error) == (
        "mrr_orders: differs from ClickHouse in the partitions 202501\n"
        "HINT: Repair it with `python run.py publish --compare`, which replaces these partitions."
    )
    assert shop.sql(
        "select partition_name from dwh.publication_verification where not is_equal"
    ) == [("202501",)]
    assert shop.publish(must_compare=True).is_repaired
    shop.check_equal()


@pytest.mark.parametrize("change", ["delete", "insert"])
def test_other_number_of_rows_is_found_though_nothing_has_changed(shop: Shop, change: str) -> None:
    shop.publish()
    shop.corrupt(
        "alter table TABLE delete where id = 5"
        if change == "delete"
        else "insert into TABLE (id, day) values (5000, '2025-02-02')"
    )
    assert shop.publish().is_repaired
    shop.check_equal()


def test_rows_of_changed_keys_are_proven_in_a_large_table(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that arrives spoilt is repaired by comparing the whole table."""
    monkeypatch.setattr("publishing.table_work.COMPARED_WHOLE_ROWS", 100)
    shop.publish()

    def spoil(name: str) -> None:
        if name == "changes published":
            shop.corrupt("alter table TABLE update label = 'spoilt' where id = 3")

    monkeypatch.setattr("common.pause.hold", spoil)
    shop.change("update mrr.mrr_orders set label = 'new' where id between 1 and 5")
    outcome = shop.publish()
    assert outcome.done
    assert (outcome.done.how, outcome.replaced > 0) == ("repaired", True)
    shop.check_equal()
