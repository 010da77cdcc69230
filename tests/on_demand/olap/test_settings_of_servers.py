"""Servers with other settings: defaults of older versions, and profiles of an administrator."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from publishing.client import Client
from tests.support.published import Shop

SETTINGS = {
    **{f"compatibility {version}": version for version in ("22.8", "23.8", "24.3", "24.8", "25.8")},
    "format_tsv_null_representation": "NULL",
    "input_format_tsv_empty_as_default": "1",
    "input_format_tsv_skip_first_lines": "1",
    "input_format_allow_errors_num": "1000",
    "precise_float_parsing": "0",
    "bool_true_representation": "yes",
    "bool_false_representation": "no",
    "data_type_default_nullable": "1",
    "date_time_input_format": "best_effort",
    "session_timezone": "Asia/Tokyo",
    "join_use_nulls": "1",
    "final": "1",
    "mutations_sync": "0",
    "async_insert": "1",
}


@pytest.fixture(params=SETTINGS)
def elsewhere(
    request: pytest.FixtureRequest, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """The shop at a server on which a setting has another value, unless the client sets it."""
    name = request.param.split()[0]
    known = Client._known_settings
    monkeypatch.setattr(
        Client, "_known_settings", lambda self: {name: SETTINGS[request.param]} | known(self)
    )
    with Client(shop.target.client.address) as client:
        target = replace(shop.target, client=client)
        yield Shop(shop.connection, shop.reader, shop.address, target)


def test_settings_of_a_server_change_no_value(elsewhere: Shop, shop: Shop) -> None:
    assert elsewhere.publish().done
    shop.check_equal()
    shop.change("update mrr.mrr_orders set label = '', day = null, is_paid = true where id < 60")
    shop.change("delete from mrr.mrr_orders where id > 900", "delete")
    outcome = elsewhere.publish()
    assert outcome.done
    assert (outcome.done.how, outcome.replaced) == ("changed", 0)
    shop.check_equal()
