"""The settings of streams: what librdkafka is told, and what is refused."""

from pathlib import Path

import pytest

from common.errors import SettingError
from common.settings import Address
from common.tls import NO_TLS
from streaming.settings import Cluster, StreamSettings, read_stream_settings

SECRET = "s3cr3t'\"$%:/@"
DATABASE = {
    "STREAM_DATABASE_HOST": "localhost",
    "STREAM_DATABASE_USER": "stream",
    "STREAM_DATABASE_PASSWORD": SECRET,
}


def read(tmp_path: Path, **values: str) -> StreamSettings:
    return read_stream_settings(values, tmp_path / ".env")


def options(tmp_path: Path, **values: str) -> dict[str, str]:
    cluster = read(tmp_path, **values).cluster
    assert cluster
    return cluster.options()


def test_without_settings_both_are_the_embedded_ones(tmp_path: Path) -> None:
    assert read(tmp_path) == StreamSettings(None, None, 50, 5, 600)


def test_local_broker_is_reached_without_tls(tmp_path: Path) -> None:
    assert options(tmp_path, KAFKA_BOOTSTRAP="127.0.0.1:9092, localhost:9093") == {
        "bootstrap.servers": "127.0.0.1:9092,localhost:9093",
        "security.protocol": "plaintext",
    }


def test_broker_of_another_machine_is_reached_by_tls(tmp_path: Path) -> None:
    found = options(tmp_path, KAFKA_BOOTSTRAP="kafka.example.com:9093")
    assert found["security.protocol"] == "ssl"


def test_sasl_by_tls_is_what_librdkafka_calls_it(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    for name in ("ca.pem", "client.pem", "client.key"):
        (tmp_path / name).write_text("")
    found = options(
        tmp_path,
        KAFKA_BOOTSTRAP="kafka.example.com:9093",
        KAFKA_SASL_MECHANISM="SCRAM-SHA-256",
        KAFKA_SASL_USER="tidemark",
        KAFKA_SASL_PASSWORD_FILE=str(tmp_path / "password"),
        KAFKA_CA_FILE=str(tmp_path / "ca.pem"),
        KAFKA_CERTIFICATE_FILE=str(tmp_path / "client.pem"),
        KAFKA_KEY_FILE=str(tmp_path / "client.key"),
        KAFKA_KEY_PASSWORD="of the key",
    )
    assert found == {
        "bootstrap.servers": "kafka.example.com:9093",
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": "tidemark",
        "sasl.password": SECRET,
        "ssl.ca.location": str(tmp_path / "ca.pem"),
        "ssl.certificate.location": str(tmp_path / "client.pem"),
        "ssl.key.location": str(tmp_path / "client.key"),
        "ssl.key.password": "of the key",
    }


def test_passwords_are_not_shown() -> None:
    cluster = Cluster("kafka:9093", password=SECRET, key_password=SECRET)
    assert SECRET not in repr(StreamSettings(cluster))


def test_database_of_ones_own_has_the_name_of_the_shop_unless_set(tmp_path: Path) -> None:
    assert read(tmp_path, **DATABASE).database == Address(
        "localhost", 3306, "stream", SECRET, "ecommerce", tls=NO_TLS
    )
    named = read(tmp_path, **DATABASE, STREAM_DATABASE_NAME="crm").database
    assert named and named.database == "crm"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"KAFKA_BOOTSTRAP": "kafka"}, 'KAFKA_BOOTSTRAP: "kafka" is not a list of brokers'),
        ({"KAFKA_BOOTSTRAP": "kafka:0"}, 'KAFKA_BOOTSTRAP: "kafka:0" is not a list of brokers'),
        ({"KAFKA_SASL_USER": "x"}, "KAFKA_BOOTSTRAP: not set, but KAFKA_SASL_USER is"),
        (
            {"KAFKA_BOOTSTRAP": "k:1", "KAFKA_SECURITY_PROTOCOL": "tls"},
            'KAFKA_SECURITY_PROTOCOL: "tls" is not known',
        ),
        (
            {"KAFKA_BOOTSTRAP": "k:1", "KAFKA_SASL_USER": "x", "KAFKA_SASL_MECHANISM": "GSSAPI"},
            'KAFKA_SASL_MECHANISM: "GSSAPI" is not known',
        ),
        (
            {"KAFKA_BOOTSTRAP": "k:1", "KAFKA_SASL_USER": "x"},
            "KAFKA_SASL_PASSWORD: not set",
        ),
        (
            {
                "KAFKA_BOOTSTRAP": "k:1",
                "KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
                "KAFKA_SASL_PASSWORD": SECRET,
            },
            "KAFKA_SASL_USER: not set, but KAFKA_SECURITY_PROTOCOL is sasl_ssl",
        ),
        (
            {
                "KAFKA_BOOTSTRAP": "k:1",
                "KAFKA_SECURITY_PROTOCOL": "ssl",
                "KAFKA_SASL_USER": "x",
            },
            "KAFKA_SASL_USER: set, but KAFKA_SECURITY_PROTOCOL is ssl, which has no use for it",
        ),
        (
            {
                "KAFKA_BOOTSTRAP": "k:1",
                "KAFKA_SECURITY_PROTOCOL": "sasl_plaintext",
                "KAFKA_SASL_MECHANISM": "PLAIN",
                "KAFKA_SASL_USER": "x",
                "KAFKA_SASL_PASSWORD": SECRET,
            },
            "KAFKA_SASL_MECHANISM: PLAIN would send the password in clear text",
        ),
        (
            {"KAFKA_BOOTSTRAP": "k:1", "KAFKA_CA_FILE": "/none.pem"},
            'KAFKA_CA_FILE: "/none.pem" is not a file',
        ),
        (
            {"KAFKA_BOOTSTRAP": "k:1", "KAFKA_CERTIFICATE_FILE": __file__},
            "KAFKA_KEY_FILE: not set, but its other half is",
        ),
        ({"STREAM_DATABASE_USER": "x"}, "STREAM_DATABASE_HOST: not set, but STREAM_DATABASE_USER"),
        ({"STREAM_DATABASE_NAME": "x"}, "STREAM_DATABASE_HOST: not set, but STREAM_DATABASE_NAME"),
        (
            {**DATABASE, "OPERATIONAL_USER": "stream"},
            'STREAM_DATABASE_USER: "stream" is OPERATIONAL_USER too, which is only to read',
        ),
        (
            {**DATABASE, "OPERATIONAL_SHOP_USER": "stream"},
            'STREAM_DATABASE_USER: "stream" is OPERATIONAL_SHOP_USER too, which is only to read',
        ),
        ({"STREAM_RATE": "0"}, 'STREAM_RATE: "0" is not such a number'),
        ({"STREAM_BROKEN_PERCENT": "101"}, 'STREAM_BROKEN_PERCENT: "101" is not such a number'),
        ({"STREAM_RETRY_SECONDS": "soon"}, 'STREAM_RETRY_SECONDS: "soon" is not such a number'),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) else "",
)
def test_setting_that_is_wrong_is_told(
    tmp_path: Path, values: dict[str, str], problem: str
) -> None:
    with pytest.raises(SettingError) as told:
        read(tmp_path, **values)
    assert str(told.value).startswith(problem)
    assert "\nHINT: " in str(told.value)
    assert SECRET not in str(told.value)
