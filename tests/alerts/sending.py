"""A node that fails and is mended, and what is told of it."""

from alerts import (
    open_channels,
    stores,
)
from tests.alerts.conftest import Checks, Log
from tests.support.servers import Query
from warehouse.connection import connect

SECRET = "t0ken-of-a-channel"
BEGIN = "a model is not built: dwh_x"
END = f"over: {BEGIN}"


def channel_of(checks: Checks) -> str:
    """What the first channel is remembered by in the warehouse."""
    (channel, *_), _ = open_channels(checks.settings.urls)
    connection = connect(checks.address)
    identity = channel.identity(stores.TableStore(connection).key)
    connection.close()
    return identity


def pass_by(query: Query, hours: int) -> None:
    """Let the last attempts be of so many hours ago."""
    query(
        "update dwh.alert_incident set tried = (select jsonb_object_agg(key, jsonb_set(value,"
        " '{at}', to_jsonb((value ->> 'at')::timestamptz - make_interval(hours => %s))))"
        " from jsonb_each(tried)) where tried <> '{}'",
        (hours,),
    )


def cannot(checks: Checks) -> str:
    return f"the warehouse cannot be checked: warehouse {checks.address}"


def fail(log: Log, node: str = "dwh_x") -> None:
    log.add("dbt", node, "error", "division by zero")


def mend(log: Log, node: str = "dwh_x") -> None:
    log.add("dbt", node, "success")
