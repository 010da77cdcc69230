"""A run imports the collections of the server that is set, and what fails there stops no table."""

from collections.abc import Iterator

import pytest

import embedded
from operational.seed import seed
from tests.mongodb.conftest import FACT, TABLE, Collection, sample
from tests.support.command_line import CommandLine, check_told
from tests.support.mongo_server import MongoServer

from bson import json_util  # isort: skip  (of the client)

STEPS = (
    "select step, status from dwh.run_log where process = 'collections'"
    " and run_id = (select run_id from dwh.run_log where process = 'run' order by log_id desc"
    " limit 1)"
)
MIRRORED = "select count(*) from dwh.mirror_verification where table_name not like '%%documents'"


def documents(*numbers: int, **changed: object) -> list[dict]:
    return [json_util.loads(json_util.dumps(sample(number, **changed))) for number in numbers]


@pytest.fixture
def runs(
    empty: Collection, command_line: CommandLine, servers: embedded.Servers
) -> Iterator[CommandLine]:
    """Runs of the e-wallet, whose tables are mirrored too."""
    seed(servers, ["ewallet"])
    empty.query("drop table if exists mrr.mrr_fact_ewallet_transactions cascade")
    yield command_line


def test_run_imports_builds_and_goes_on_without_the_server(
    empty: Collection, mongo: MongoServer, runs: CommandLine, free_port: int
) -> None:
    mongo.fill(documents(1, 2))
    done = runs.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 collections imported" in done.stdout
    assert f"{TABLE}: 2 documents in; 2 with a key" in done.stderr
    assert empty.query(STEPS) == [(TABLE, "success")]
    assert empty.value(f"select count(*) from dwh.{FACT}") == 2

    mongo.fill(documents(1, 3))
    away = f"mongodb://127.0.0.1:{free_port}/shop?serverSelectionTimeoutMS=300"
    before = empty.value(MIRRORED)
    check_told(runs.run(MONGODB_URI=away), 1, "cannot be reached (")
    assert empty.query(STEPS) == [(TABLE, "error")]
    # the tables of the other server were read
    assert empty.value(MIRRORED) > before
    assert empty.value(f"select count(*) from dwh.{FACT}") == 2

    assert runs.run().returncode == 0
    ids = empty.query(f"select transaction_id from dwh.{FACT} order by 1")
    assert ids == [("TX1",), ("TX3",)]

    mongo.fill([])
    check_told(runs.run(), 4, f"{TABLE}: 2 of 2 mirrored rows are gone")
    assert empty.query(STEPS) == [(TABLE, "refused")]
    assert runs.run("--accept-deletes", f"{TABLE}=2").returncode == 0
    assert empty.value(f"select count(*) from dwh.{FACT}") == 0


def test_part_of_a_run_imports_what_it_is_about(
    empty: Collection, mongo: MongoServer, runs: CommandLine
) -> None:
    mongo.fill(documents(1))
    for arguments in (
        ("--from", "stg"),
        ("--table", "mrr_dim_ewallet_users", "--until", "mrr"),
    ):
        done = runs.run(*arguments)
        assert "collections imported" not in done.stdout
    assert empty.keys() == []
    assert runs.run("--domain", "ewallet", "--until", "mrr").returncode == 0
    assert len(empty.keys()) == 1
    done = runs.run("--json", "--domain", "ewallet", MONGODB_URI="mongodb://h/admin")
    check_told(done, 2, 'MONGODB_URI: "admin" is one of the server')
