"""An import makes the mirror equal to the collection, and refuses what may be a mistake."""

from random import Random
from typing import Any

import pytest
from bson import ObjectId

from common.errors import DeletesRefused
from mongodb.document import LONG_ID
from tests.mongodb.conftest import TABLE, Collection
from tests.on_demand.mongodb.test_values import bring
from tests.support.command_line import CommandLine, check_told
from tests.support.mongo_server import MongoServer

STATE = f"select xmin::text, * from mrr.{TABLE} order by document_key"


@pytest.mark.parametrize("seed", range(3))
def test_changes_and_deletes_between_imports_arrive(
    empty: Collection, mongo: MongoServer, seed: int
) -> None:
    chance = Random(seed)
    with mongo.client() as client:
        found = client.shop.transactions
        mongo.fill([{"_id": number, "n": 0} for number in range(500)])
        bring(empty, mongo)
        for round_number in range(1, 5):
            empty.query("truncate mrr_state.change_log")
            before = {one["_id"]: one["n"] for one in found.find()}
            for number in chance.sample(range(600), 60):
                found.replace_one({"_id": number}, {"n": round_number}, upsert=True)
            for number in chance.sample(range(600), 20):
                found.delete_one({"_id": number})
            now = {one["_id"]: one["n"] for one in found.find()}
            imported = bring(empty, mongo)
            assert empty.keys() == sorted(map(str, now))
            expected = [("insert", str(key)) for key in now.keys() - before.keys()]
            expected += [("delete", str(key)) for key in before.keys() - now.keys()]
            expected += [
                ("update", str(key))
                for key in now.keys() & before.keys()
                if now[key] != before[key]
            ]
            assert sorted(empty.changes()) == sorted(expected)
            assert imported.applied.rows == len(expected)


def test_same_collection_again_changes_nothing_in_whatever_order_it_comes(
    empty: Collection, mongo: MongoServer
) -> None:
    documents: list[dict[str, Any]] = [{"_id": number} for number in range(50)]
    mongo.fill(documents)
    bring(empty, mongo)
    before = empty.query(STATE)
    mongo.fill(documents[::-1])
    assert bring(empty, mongo).applied.rows == 0
    assert empty.query(STATE) == before


def test_ids_of_several_types_are_keys_of_their_own(empty: Collection, mongo: MongoServer) -> None:
    ids = [1, 1.5, "1", True, None, {"a": 1}, {"a": "1"}, ObjectId("0" * 24), b"1", "$oid", ""]
    mongo.fill([{"_id": one} for one in ids])
    assert bring(empty, mongo).quarantined == 0
    assert len(empty.keys()) == len(ids)


def test_document_without_a_usable_key_stays_where_it_is_while_others_go(
    empty: Collection, mongo: MongoServer
) -> None:
    mongo.fill([*({"_id": number} for number in range(9)), {"_id": "x" * 2_001, "n": 1}])
    bring(empty, mongo)
    quarantine = f"select xmin::text, * from mrr.{TABLE} where fault = %s"
    before = empty.query(quarantine, LONG_ID)
    assert len(before) == 1
    with mongo.client() as client:
        client.shop.transactions.delete_one({"_id": 3})
    assert bring(empty, mongo).applied.deleted == 1
    assert empty.query(quarantine, LONG_ID) == before


@pytest.mark.parametrize("is_dropped", [True, False], ids=["dropped and made anew", "emptied"])
def test_collection_that_is_emptied_is_refused(
    empty: Collection, mongo: MongoServer, is_dropped: bool
) -> None:
    mongo.fill([{"_id": number} for number in range(10)])
    bring(empty, mongo)
    with mongo.client() as client:
        if is_dropped:
            client.shop.drop_collection("transactions")
            client.shop.create_collection("transactions")
        client.shop.transactions.delete_many({})
    with pytest.raises(DeletesRefused, match="10 of 10 mirrored rows are gone"):
        bring(empty, mongo)
    assert len(empty.keys()) == 10


def test_guard_of_the_command_is_told_and_passed_once(
    empty: Collection, mongo: MongoServer, command_line: CommandLine
) -> None:
    mongo.fill([{"_id": number} for number in range(3)])
    assert command_line.run("collections").returncode == 0
    mongo.fill([])
    done = command_line.run("collections")
    check_told(done, 4, f"{TABLE}: 3 of 3 mirrored rows are gone", f"--accept-deletes {TABLE}=3")
    assert command_line.run("collections", "--accept-deletes", f"{TABLE}=2").returncode == 4
    done = command_line.run("collections", "--accept-deletes", f"{TABLE}=3")
    assert done.returncode == 0, done.stderr
    assert empty.keys() == []
    logged = empty.query(
        "select status, rows_affected from dwh.run_log where step = %s order by log_id", TABLE
    )[-4:]
    assert logged == [("success", 3), ("refused", 0), ("refused", 0), ("success", 3)]
    commands = empty.query(
        "select status from dwh.run_log where step = 'collections' order by log_id desc limit 3"
    )
    assert commands == [("success",), ("refused",), ("refused",)]


def test_collection_that_is_not_there_is_told_and_the_mirror_stays(
    empty: Collection, mongo: MongoServer, command_line: CommandLine
) -> None:
    empty.bring([{"_id": 1}])
    with mongo.client() as client:
        client.shop.drop_collection("transactions")
    done = command_line.run("collections")
    check_told(done, 1, f'{TABLE}: mongodb 127.0.0.1:{mongo.port}/shop has no collection "transact')
    assert empty.keys() == ["1"]


def test_options_of_files_are_refused_without_files(command_line: CommandLine) -> None:
    check_told(command_line.run("collections", "--partial"), 2, "--partial: is for files")
    check_told(command_line.run("collections", "--form", "array"), 2, "--form: is for files")
    done = command_line.run("collections", "--accept-deletes", "mrr_x=1")
    check_told(done, 2, "--accept-deletes mrr_x: not a table of this command")
    done = command_line.run("collections", "--collection", "transaction")
    check_told(done, 2, "collection transaction: not declared", "Did you mean transactions?")


def test_view_and_capped_collection_are_read(empty: Collection, mongo: MongoServer) -> None:
    with mongo.client() as client:
        client.shop.drop_collection("transactions")
        client.shop.drop_collection("source")
        client.shop.source.insert_many([{"_id": number, "n": number % 2} for number in range(6)])
        client.shop.command(
            {"create": "transactions", "viewOn": "source", "pipeline": [{"$match": {"n": 1}}]}
        )
        assert bring(empty, mongo).documents == 3
        client.shop.drop_collection("transactions")
        client.shop.create_collection("transactions", capped=True, size=100_000)
        client.shop.transactions.insert_many([{"_id": number} for number in range(4)])
        assert bring(empty, mongo).documents == 4
        client.shop.drop_collection("transactions")
