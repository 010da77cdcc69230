"""`compose.yaml`, which nothing here can start: what a reader of YAML can find wrong in it."""

import re
from typing import Any

import pytest
import yaml

from common.settings import PROJECT
from mongodb.settings import read_mongo_settings

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
NOWHERE = PROJECT / "no-such-file"
OPTIONAL = [name for name, service in SERVICES.items() if "profiles" in service]


def image_of(service: dict[str, Any]) -> str:
    """The image that a service is, or that it is built on."""
    if "image" in service:
        return str(service["image"])
    build = service["build"]
    text = (
        (PROJECT / build / "Dockerfile").read_text("utf-8")
        if isinstance(build, str)
        else build["dockerfile_inline"]
    )
    (image,) = re.findall(r"^FROM (\S+)$", text, re.MULTILINE)
    return str(image)


def test_profiles_are_kafka_clickhouse_mongo_and_airflow() -> None:
    assert {name: SERVICES[name]["profiles"] for name in OPTIONAL} == {
        name: [name] for name in ("kafka", "clickhouse", "mongo", "airflow")
    }


@pytest.mark.parametrize("name", SERVICES)
def test_image_of_a_service_is_pinned(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+[.\d]*(-[\w.-]+)?", image_of(SERVICES[name]))


def test_airflow_is_the_version_that_is_tried() -> None:
    wanted = (PROJECT / "orchestration/airflow/requirements.in").read_text("utf-8")
    (version,) = re.findall(r"^apache-airflow==(\S+)$", wanted, re.MULTILINE)
    assert image_of(SERVICES["airflow"]).startswith(f"apache/airflow:{version}-python3.")


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_on_this_machine_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


def test_no_two_services_have_the_same_port() -> None:
    ports = [port.split(":")[1] for one in SERVICES.values() for port in one.get("ports", [])]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("name", SERVICES)
def test_password_comes_from_the_environment_or_a_secret(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search(r"PASSWORD(S_FILE|_FILE)?$", variable):
            places = ("/run/secrets/", "/tidemark/")
            is_file = variable.endswith("_FILE") and value.startswith(places)
            assert is_file or re.fullmatch(r"\$\{[A-Z_]+PASSWORD:-\}", value), variable


@pytest.mark.parametrize("name", OPTIONAL)
def test_service_of_a_profile_tells_whether_it_is_healthy(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_names_exists(name: str) -> None:
    service = SERVICES[name]
    volumes = {volume.split(":")[0] for volume in service.get("volumes", [])}
    assert {one for one in volumes if not one.startswith(".")} <= set(COMPOSE["volumes"])
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    assert {one["source"] for one in service.get("configs", [])} <= set(COMPOSE["configs"])
    for other, how in service.get("depends_on", {}).items():
        assert how == {"condition": "service_healthy"}
        assert "healthcheck" in SERVICES[other]
        assert "profiles" not in SERVICES[other]


def test_account_of_mongodb_is_that_of_the_settings_and_only_reads() -> None:
    script = COMPOSE["configs"]["mongo_reader"]["content"]
    (user,) = re.findall(r'user: "(\w+)"', script)
    assert re.findall(r'role: "(\w+)", db: "(\w+)"', script) == [("read", "ewallet")]
    text = (PROJECT / "compose.yaml").read_text("utf-8")
    (address,) = re.findall(r"MONGODB_URI=(\S+),", text)
    found = read_mongo_settings({"MONGODB_URI": address.replace("<password>", "x")}, NOWHERE)
    assert found and found.place == f"{user}@127.0.0.1/ewallet"
    assert found.options == {"authsource": "admin"}
    assert not found.has_tls
