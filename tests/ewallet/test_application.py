"""The e-wallet's own database: sample data, constraints, and its workload."""

import csv
from pathlib import Path

import pymysql
import pytest

import embedded
from operational.seed import seed
from operational.simulate import simulate
from tests.ewallet.conftest import Ask, remake

CASE = Path(__file__).with_name("transactions_expected.csv")
VALUES = {
    "users": "user_id, name, city",
    "merchants": "merchant_id, name, category",
    "transactions": "transaction_id, user_id, merchant_id, amount, status",
}


def rows_of(application: Ask) -> dict[str, list[tuple]]:
    return {
        table: application(f"select {columns} from {table} order by 1")
        for table, columns in VALUES.items()
    }


def test_sample_has_the_rows_of_the_case(application: Ask) -> None:
    with CASE.open(encoding="utf-8", newline="") as file:
        expected = [
            (row["transaction_id"], int(row["user_id"]), row["amount"], row["status"])
            for row in csv.DictReader(file)
        ]
    assert len(expected) == 4
    found = application("select transaction_id, user_id, amount, status from transactions")
    assert set(expected) <= {(*row[:2], str(row[2]), row[3]) for row in found}


@pytest.mark.parametrize(
    "values",
    [
        "('TX1', 999, 1, 1, 'SUCCESS')",
        "('TX1', 1, 999, 1, 'SUCCESS')",
        "('TX1', null, 1, 1, 'SUCCESS')",
        "('TX1', 1, 1, 1, 'REFUNDED')",
        "('TX1001', 1, 1, 1, 'SUCCESS')",
    ],
    ids=["unknown user", "unknown merchant", "no user", "unknown status", "known key"],
)
def test_constraint_refuses_the_row(application: Ask, values: str) -> None:
    columns = "(transaction_id, user_id, merchant_id, amount, status)"
    with pytest.raises(pymysql.Error):
        application(f"insert into transactions {columns} values {values}")
    with pytest.raises(pymysql.IntegrityError, match="foreign key"):
        application("delete from users where user_id = 1")


def test_missing_table_is_made_again_under_its_foreign_keys(
    servers: embedded.Servers, application: Ask
) -> None:
    application("drop table transactions")
    assert seed(servers, ["ewallet"]) == ["ewallet.transactions"]
    assert application("select count(*) from transactions") == [(16,)]
    with pytest.raises(pymysql.IntegrityError, match="foreign key"):
        application("update transactions set merchant_id = 999")


def test_same_seed_gives_the_same_rows(servers: embedded.Servers, application: Ask) -> None:
    first = simulate(servers, 200, seed=4, domain="ewallet")
    lived = rows_of(application)
    remake(servers)
    assert simulate(servers, 200, seed=4, domain="ewallet") == first
    application("use ewallet")
    assert rows_of(application) == lived


def test_workload_writes_every_kind_of_change(servers: embedded.Servers, application: Ask) -> None:
    before = rows_of(application)
    application(
        "create table changes (kind varchar(10), old varchar(10), new varchar(10), moved bool)"
    )
    application(
        "create trigger after_update after update on transactions for each row insert into changes"
        " values ('update', old.status, new.status,"
        " month(old.transaction_time) <> month(new.transaction_time))"
    )
    application(
        "create trigger after_delete after delete on transactions for each row insert into changes"
        " values ('delete', old.status, null, null)"
    )
    result = simulate(servers, 700, seed=4, domain="ewallet")
    assert result.inserts + result.updates + result.deletes == 700
    assert min(result.inserts, result.updates, result.deletes, result.late) > 0
    changes = set(application("select distinct kind, old, new from changes where not moved <=> 1"))
    assert changes >= {
        ("update", "PENDING", "SUCCESS"),
        ("update", "PENDING", "FAILED"),
        ("update", "SUCCESS", "FAILED"),
        ("delete", "FAILED", None),
    }
    assert {old for kind, old, _ in changes if kind == "delete"} == {"FAILED"}
    assert application("select count(*) > 0 from changes where moved") == [(1,)]
    after = rows_of(application)
    for column in (1, 2):
        pairs = zip(before["merchants"], after["merchants"], strict=False)
        assert any(known[column] != now[column] for known, now in pairs)
    assert len(after["users"]) > len(before["users"])
    bounds = "select count(distinct amount) from transactions where amount in (49999.99, 100000)"
    assert application(bounds) == [(2,)]
