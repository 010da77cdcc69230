"""The settings of a server: what is taken from the address, and what is refused without it."""

from pathlib import Path

import pytest

from common.errors import SettingError
from mongodb.settings import MongoSettings, read_mongo_settings

SECRET = "s3cr3t"


def read(tmp_path: Path, uri: str, **values: str) -> MongoSettings:
    found = read_mongo_settings({"MONGODB_URI": uri, **values}, tmp_path / ".env")
    assert found
    return found


def test_without_an_address_there_is_no_server(tmp_path: Path) -> None:
    assert read_mongo_settings({}, tmp_path / ".env") is None


@pytest.mark.parametrize(
    ("uri", "place", "database"),
    [
        ("mongodb://localhost/shop", "localhost/shop", "shop"),
        ("mongodb://reader:x%40y@h1:1,h2:2/shop?tls=true", "reader@h1:1,h2:2/shop", "shop"),
        ("mongodb://r%40d:@[::1]:27017/a%2Db", "r@d@[::1]:27017/a-b", "a-b"),
        ("mongodb+srv://u:p@cluster.example.com/shop", "u@cluster.example.com/shop", "shop"),
        ("mongodb://%2Frun%2Fmongodb-27017.sock/shop", "/run/mongodb-27017.sock/shop", "shop"),
    ],
)
def test_place_has_everything_but_the_password(
    tmp_path: Path, uri: str, place: str, database: str
) -> None:
    found = read(tmp_path, uri)
    assert (found.place, found.database) == (place, database)
    assert found.subject == f"mongodb {place}"


@pytest.mark.parametrize(
    ("uri", "has_tls", "is_checked"),
    [
        ("mongodb://127.0.0.1/s", False, False),
        ("mongodb://localhost:1,[::1]:2/s", False, False),
        ("mongodb://%2Frun%2Fmongodb-27017.sock/s", False, False),
        ("mongodb://127.0.0.1/s?TLS=True", True, True),
        ("mongodb://127.0.0.1/s?tlsCAFile=x", True, True),
        ("mongodb://localhost,db.example.com/s", True, True),
        ("mongodb://db.example.com/s?retryReads=false", True, True),
        ("mongodb://db.example.com/s?ssl=false", False, False),
        ("mongodb://db.example.com/s?w=1;tls=false", False, False),
        ("mongodb://db.example.com/s?tlsInsecure=true", True, False),
        ("mongodb://db.example.com/s?tlsAllowInvalidHostnames=true", True, False),
        ("mongodb+srv://localhost/s", True, True),
        ("mongodb+srv://db.example.com/s?tls=false", False, False),
    ],
)
def test_what_leaves_the_machine_is_encrypted_unless_the_address_says_otherwise(
    tmp_path: Path, uri: str, has_tls: bool, is_checked: bool
) -> None:
    found = read(tmp_path, uri)
    assert (found.has_tls, found.is_checked) == (has_tls, is_checked)


@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb://u:{SECRET}@h",
        f"mongodb://u:{SECRET}@h/",
        f"mongodb://u:{SECRET}@h/?tls=true",
        f"mongodb://u:{SECRET}/@h/shop",
        f"mongodb://u:{SECRET}@@h/shop",
        f"mongodb://u:{SECRET}@h/shop.orders",
        f"mongodb://u:{SECRET}@h/shop%2Eorders",
        f"mongodb://u:{SECRET}@h/shop%00",
        f"postgresql://u:{SECRET}@h/shop",
        f"u:{SECRET}@h/shop",
        f"mongodb://u:{SECRET}@h/admin",
    ],
)
def test_address_that_is_wrong_is_refused_and_not_told(tmp_path: Path, uri: str) -> None:
    with pytest.raises(SettingError) as error:
        read(tmp_path, uri)
    assert error.value.subject == "MONGODB_URI"
    assert SECRET not in str(error.value)


def test_address_is_in_no_representation(tmp_path: Path) -> None:
    found = read(tmp_path, f"mongodb://u:{SECRET}@h/shop?authMechanismProperties=x:{SECRET}")
    assert SECRET not in repr(found) + str(found)


def test_address_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "uri").write_text("mongodb://h/shop\n")
    values = {"MONGODB_URI_FILE": str(tmp_path / "uri")}
    found = read_mongo_settings(values, tmp_path / ".env")
    assert found and found.uri == "mongodb://h/shop"
    with pytest.raises(SettingError, match="MONGODB_URI: set, and so is MONGODB_URI_FILE"):
        read(tmp_path, "mongodb://h/shop", **values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"MONGODB_DUTY": "0"}, 'MONGODB_DUTY: "0" is not such a number'),
        ({"MONGODB_DUTY": "101"}, "Set a number from 1 to 100"),
        ({"MONGODB_MINUTES": "1h"}, 'MONGODB_MINUTES: "1h" is not such a number'),
        ({"MONGODB_URI": "", "MONGODB_MINUTES": "5"}, "MONGODB_URI: not set, but MONGODB_MINUTES"),
    ],
)
def test_wrong_number_is_refused(tmp_path: Path, values: dict[str, str], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        read_mongo_settings({"MONGODB_URI": "mongodb://h/s"} | values, tmp_path / ".env")


def test_limits_are_those_that_are_set(tmp_path: Path) -> None:
    found = read(tmp_path, "mongodb://h/s", MONGODB_DUTY="20", MONGODB_MINUTES="90")
    assert (found.duty, found.longest.total_seconds()) == (0.2, 5400)
    found = read(tmp_path, "mongodb://h/s")
    assert (found.duty, found.longest.total_seconds()) == (0.5, 3600)
