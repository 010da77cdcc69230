"""Accounts and TLS: what is let in, what is told of the others, and that no password is told."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

import embedded
from commands.mongodb_findings import find_mongodb
from common.errors import SettingError
from extract.declarations import declared_collections
from mongodb.errors import MongoError
from mongodb.extra import FOLDER
from mongodb.live.reading import LiveDatabase
from mongodb.settings import MongoSettings
from tests.mongodb.conftest import TABLE, Collection
from tests.support.certificates import ELSEWHERE, Authority
from tests.support.command_line import CommandLine, check_told, copy_of_project
from tests.support.mongo_server import ADMIN, MongoServer
from tests.test_secrets import (
    KINDS,
    finds,
    is_own_file,
    password_with,
    spellings,
    tables_with,
    watching,
)

TOKEN = secrets.token_hex(12)
CANARY = password_with(TOKEN)
PASSWORDS = {kind: password for kind, password in KINDS.items() if kind != "ends of lines"}
"""MongoDB refuses those that SASLprep has no form for."""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """A server that asks for an account, with one for each password, and one of no rights."""
    reader = [{"role": "read", "db": "shop"}]
    with MongoServer(tmp_path_factory.mktemp("closed"), options=()) as server:
        with server.client() as client:
            client.shop.transactions.insert_one({"_id": 1})
            client.admin.command("createUser", ADMIN[0], pwd=ADMIN[1], roles=["root"])
            client.admin.command("createUser", "nobody", pwd="s3cr3t", roles=[])
            client.admin.command("createUser", "canary", pwd=CANARY, roles=reader)
            for number, password in enumerate(PASSWORDS.values()):
                client.admin.command("createUser", f"r{number}", pwd=password, roles=reader)
        server.stop()
        server.options = ("--auth",)
        server.start()
        yield server


def read(server: MongoServer, uri: str) -> int:
    with LiveDatabase(server.settings(MONGODB_URI=uri)) as database:
        return len(list(database.documents("transactions")))


@pytest.mark.parametrize("number", range(len(PASSWORDS)), ids=PASSWORDS)
def test_password_of_any_characters_is_let_in(closed: MongoServer, number: int) -> None:
    assert read(closed, closed.uri(f"r{number}", list(PASSWORDS.values())[number])) == 1


def test_password_comes_from_a_file_too(closed: MongoServer, tmp_path: Path) -> None:
    (tmp_path / "uri").write_text(f"{closed.uri('canary', CANARY)}\n", encoding="utf-8")
    settings = closed.settings(MONGODB_URI="", MONGODB_URI_FILE=str(tmp_path / "uri"))
    with LiveDatabase(settings) as database:
        assert len(list(database.documents("transactions"))) == 1


def test_wrong_password_is_told_without_it(closed: MongoServer) -> None:
    with pytest.raises(MongoError) as error:
        read(closed, closed.uri("canary", "wr0ng"))
    place = f"mongodb canary@127.0.0.1:{closed.port}/shop"
    assert str(error.value).startswith(f"{place}: the account is refused\nHINT: ")
    assert "wr0ng" not in str(error.value)


@pytest.mark.parametrize("user", ["nobody", ""], ids=["without rights", "without an account"])
def test_account_that_may_not_read_is_told(closed: MongoServer, user: str) -> None:
    with pytest.raises(MongoError, match="the account may not read"):
        read(closed, closed.uri(user, "s3cr3t"))


def test_read_only_account_is_all_that_doctor_wants(closed: MongoServer) -> None:
    tables = [one for one in declared_collections() if one.name == TABLE]
    found = list(find_mongodb(closed.settings(MONGODB_URI=closed.uri("canary", CANARY)), tables))
    assert [remedy for *_, remedy in found] == [None, None]
    assert [seen.partition(" ")[0] for _, seen, _ in found] == ["MongoDB", "shop.transactions,"]


def test_doctor_finds_what_is_wrong(closed: MongoServer, free_port: int) -> None:
    tables = [one for one in declared_collections() if one.name == TABLE]

    def wrong(uri: str) -> list[str]:
        found = find_mongodb(closed.settings(MONGODB_URI=uri), tables)
        return [seen for _, seen, remedy in found if remedy]

    (seen,) = wrong(closed.uri(*ADMIN))
    assert seen == "the account may do more than read: root"
    (seen,) = wrong(closed.uri(*ADMIN, database="other"))[1:]
    assert 'has no collection "transactions"' in seen
    (seen,) = wrong(closed.uri("canary", "wr0ng"))
    assert seen == "the account is refused"
    (seen,) = wrong(f"mongodb://127.0.0.1:{free_port}/shop?serverSelectionTimeoutMS=300")
    assert seen.startswith("cannot be reached (")


def test_password_is_found_nowhere_but_where_it_is_set(
    closed: MongoServer, empty: Collection, servers: embedded.Servers, tmp_path: Path
) -> None:
    command_line = CommandLine(
        copy_of_project(tmp_path / "project"), servers.operational, empty.address
    )
    (command_line.folder / ".local").mkdir()
    (command_line.folder / ".local" / "mongodb").symlink_to(FOLDER)
    secret = tmp_path / "uri"
    secret.write_text(closed.uri("canary", CANARY), encoding="utf-8")
    command_line.environment |= {"DEMO_DOMAINS": "ewallet", "MONGODB_URI_FILE": str(secret)}
    closed_port = secret.read_text().replace(str(closed.port), "1")
    unescaped = f"mongodb://canary:{TOKEN}/{TOKEN}@127.0.0.1:{closed.port}/shop"
    unknown = f"mongodb://canary:x@127.0.0.1:{closed.port}/shop?{TOKEN}=x"
    said, no_file = "", {"MONGODB_URI_FILE": ""}
    with watching() as watch:
        for arguments, environment, code in (
            (("collections", "--verbose"), {}, 0),
            (("doctor", "--verbose"), {}, 0),
            (("collections", "--verbose"), {"MONGODB_URI": closed_port, **no_file}, 1),
            (("collections", "--verbose"), {"MONGODB_URI": unescaped, **no_file}, 2),
            (("collections", "--verbose"), {"MONGODB_URI": unknown, **no_file}, 2),
            (("collections", "--verbose"), {"MONGODB_URI": "both"}, 2),
            (("collections", "--verbose"), {"LOG_FORMAT": "json"}, 0),
        ):
            done = command_line.run(*arguments, **environment)
            assert done.returncode == code, done.stdout + done.stderr
            said += done.stdout + done.stderr
    wanted = spellings(TOKEN, CANARY)
    assert not [arguments for arguments in watch.seen if finds(arguments, wanted)]
    assert not finds(said.encode(), wanted)
    files = [path for path in command_line.folder.rglob("*") if is_own_file(path)]
    assert "tidemark.log" in {path.name for path in files}
    assert not [path for path in files if finds(path.read_bytes(), wanted)]
    assert list(tables_with(empty.query, TOKEN)) == []
    assert repr(closed.settings(MONGODB_URI=unescaped.replace("/" + TOKEN, ""))).count(TOKEN) == 0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


def secured(folder: Path, authority: Authority, hosts: tuple[str, ...]) -> MongoServer:
    certificate = authority.certificate("-".join(hosts), hosts)
    files = ("--tls-cert-file", str(certificate.chain), "--tls-key-file", str(certificate.key))
    return MongoServer(folder, files, f"tls=true&tlsCAFile={quote(str(authority.path))}")


def test_certificate_is_checked(tmp_path: Path, authority: Authority) -> None:
    with secured(tmp_path, authority, ("localhost", "127.0.0.1")) as server:
        server.fill([{"_id": 1}])
        assert read(server, server.uri()) == 1
        server.tls = "tls=true"
        with pytest.raises(MongoError, match="CERTIFICATE_VERIFY_FAILED") as error:
            read(server, server.uri())
        assert "&tlsCAFile=FILE" in error.value.hint
        server.tls = "tls=true&tlsCAFile=/nowhere"
        with pytest.raises(SettingError, match="MONGODB_URI"):
            read(server, server.uri())
        server.tls = "tls=false"
        with pytest.raises(MongoError, match="cannot be reached"):
            read(server, server.uri())


def test_certificate_of_another_host_is_refused(tmp_path: Path, authority: Authority) -> None:
    secure = secured(tmp_path, authority, ELSEWHERE)
    trusted, secure.tls = secure.tls, "tls=true&tlsInsecure=true"
    with secure as server:
        assert settings_of(server).is_checked is False
        server.tls = trusted
        with pytest.raises(MongoError, match=r"cannot be reached .*match"):
            read(server, server.uri())


def settings_of(server: MongoServer) -> MongoSettings:
    return server.settings(MONGODB_URI=server.uri())


def test_server_without_tls_is_told_if_tls_is_asked_for(closed: MongoServer) -> None:
    with pytest.raises(MongoError, match="cannot be reached"):
        read(closed, closed.uri("canary", CANARY, more="tls=true"))


def test_command_without_the_client_tells_the_way_out(
    empty: Collection, servers: embedded.Servers, tmp_path: Path
) -> None:
    project = copy_of_project(tmp_path / "project")
    command_line = CommandLine(project, servers.operational, empty.address)
    command_line.environment |= {"DEMO_DOMAINS": "ewallet", "MONGODB_URI": "mongodb://x@h/shop"}
    done = command_line.run("collections")
    check_told(done, 1, "mongodb: its client is not installed", "HINT: Install it with `make mongo")
