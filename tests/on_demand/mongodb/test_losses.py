"""A server that is lost, slow or refuses: nothing is imported in part, and the next import is."""

from collections.abc import Iterator

import pytest

from commands.importing import ATTEMPTS
from mongodb.document import Document
from mongodb.errors import MongoError, ReadingLost
from mongodb.importing import import_documents
from mongodb.live.reading import BATCH_DOCUMENTS, LiveDatabase
from tests.mongodb.conftest import TABLE, Collection, place_of_persons
from tests.on_demand.mongodb.test_values import bring
from tests.support.command_line import CommandLine, check_told
from tests.support.mongo_server import MongoServer

COUNT = 3 * BATCH_DOCUMENTS
STATE = f"select * from mrr.{TABLE} order by document_key"


@pytest.fixture
def filled(empty: Collection, mongo: MongoServer) -> Iterator[Collection]:
    """A mirror of the collection, which is another now."""
    mongo.fill([{"_id": number, "n": 1} for number in range(COUNT)])
    bring(empty, mongo)
    mongo.fill([{"_id": number, "n": 2} for number in range(COUNT)])
    yield empty
    mongo.fail("getMore", "off")
    mongo.fail("find", "off")


def test_server_killed_while_it_is_read_changes_nothing(
    filled: Collection, mongo: MongoServer
) -> None:
    before = filled.query(STATE), filled.changes()

    def killed(database: LiveDatabase) -> Iterator[Document]:
        for number, found in enumerate(database.documents("transactions")):
            if number == BATCH_DOCUMENTS // 2:
                mongo.kill()
            yield found

    try:
        with LiveDatabase(mongo.settings()) as database, pytest.raises(ReadingLost) as lost:
            found = killed(database)
            import_documents(filled.connection, TABLE, found, "test", place_of_persons())
    finally:
        mongo.start()
    assert "the collection could not be read to its end (" in str(lost.value)
    assert (filled.query(STATE), filled.changes()) == before
    assert bring(filled, mongo).applied.updated == COUNT


@pytest.mark.parametrize("times", range(1, ATTEMPTS))
def test_collection_is_read_again_if_the_server_is_lost(
    filled: Collection, mongo: MongoServer, command_line: CommandLine, times: int
) -> None:
    mongo.fail("getMore", {"times": times}, closeConnection=True)
    done = command_line.run("collections")
    assert done.returncode == 0, done.stderr
    assert f"{COUNT:,} updated" in done.stderr


def test_server_that_is_lost_each_time_is_told_and_changes_nothing(
    filled: Collection, mongo: MongoServer, command_line: CommandLine
) -> None:
    before = filled.query(STATE), filled.changes()
    mongo.fail("getMore", "alwaysOn", closeConnection=True)
    done = command_line.run("collections")
    check_told(
        done, 1, "mongodb 127.0.0.1", "could not be read to its end", "nothing of it was imp"
    )
    assert (filled.query(STATE), filled.changes()) == before


def test_cursor_that_is_lost_is_begun_anew(
    filled: Collection, mongo: MongoServer, command_line: CommandLine
) -> None:
    mongo.fail("getMore", {"times": 1}, errorCode=43)
    assert command_line.run("collections").returncode == 0


@pytest.mark.parametrize("command", ["find", "getMore"])
@pytest.mark.parametrize(
    ("code", "told"),
    [
        (50, "has worked for longer than 60 minutes, and was stopped"),
        (13, "the account may not read"),
        (96, "refused a command ("),
    ],
)
def test_what_the_server_refuses_is_told_at_once(
    filled: Collection, mongo: MongoServer, command: str, code: int, told: str
) -> None:
    before = filled.query(STATE), filled.changes()
    mongo.fail(command, {"times": 1}, errorCode=code)
    with pytest.raises(MongoError) as error:
        bring(filled, mongo)
    assert told in str(error.value)
    assert not isinstance(error.value, ReadingLost)
    assert (filled.query(STATE), filled.changes()) == before


def test_server_that_is_down_is_told(
    empty: Collection, command_line: CommandLine, free_port: int
) -> None:
    uri = f"mongodb://127.0.0.1:{free_port}/shop?serverSelectionTimeoutMS=500"
    done = command_line.run("collections", MONGODB_URI=uri)
    place = f"mongodb 127.0.0.1:{free_port}/shop: cannot be reached (127.0.0.1:{free_port}: "
    check_told(done, 1, place, "HINT: Start it, or correct the hosts")
    assert "Topology" not in done.stderr


def test_warehouse_that_refuses_a_document_is_told_of_the_table(
    filled: Collection, command_line: CommandLine
) -> None:
    before = filled.query(STATE), filled.changes()
    filled.query(f"alter table mrr.{TABLE} add constraint none check (false) not valid")
    try:
        done = command_line.run("collections")
        check_told(done, 1, f"{TABLE}: the warehouse says: new row for relation")
    finally:
        filled.query(f"alter table mrr.{TABLE} drop constraint none")
    assert (filled.query(STATE), filled.changes()) == before
    assert filled.query(
        "select status from dwh.run_log where step = %s order by log_id desc limit 1", TABLE
    ) == [("error",)]
