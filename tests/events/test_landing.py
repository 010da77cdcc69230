"""Landing: what arrives is there, unchanged, once it is committed; of a topic each event once."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from commands.events import events_of_file
from events import landing
from events.event import EVENT_BYTES, Event, TopicPlace
from events.landing import land
from json_files.errors import ArrayNotClosed
from streaming.errors import StreamError
from tests.events.conftest import TABLE, EventWarehouse
from tests.events.samples import event

TEXTS = (
    *(
        b"{}",
        b"\\N",
        b"\\.",
        b"a\tb\\tc",
        b'{"a": "\xc3\xa9\xf0\x9f\x98\x80"}',
        b"\x01\x7f",
        b"null",
    ),
    *(b"\\", b'"', b"'", b" ", b"x" * EVENT_BYTES),
)
NO_TEXTS = (b"\xff", b"a\0b", b"\xed\xa0\x80", b"\\x00\0", b"x" * (EVENT_BYTES + 1))


def of_topic(*offsets: int, topic: str = "a", partition: int = 0) -> Iterator[Event]:
    for offset in offsets:
        yield Event(b"%d" % offset, TopicPlace(topic, partition, offset))


def land_topic(warehouse: EventWarehouse, events: Iterator[Event]) -> int:
    return sum(land(warehouse.connection, TABLE, events, "test"))


def offsets(warehouse: EventWarehouse) -> list[tuple]:
    return warehouse.query(
        "select topic, topic_partition, topic_offset, event_text"
        f" from mrr.{TABLE} order by landing_id, event_number"
    )


def logged(warehouse: EventWarehouse) -> list[int]:
    rows = warehouse.query(
        "select change_id, row_key, operation, table_name from mrr_state.change_log order by 1"
    )
    assert [row[1:] for row in rows] == [
        ({"landing_id": change_id}, "insert", TABLE) for change_id, *_ in rows
    ]
    return [change_id for change_id, *_ in rows]


def test_text_lands_as_it_is_and_anything_else_as_bytes(empty: EventWarehouse) -> None:
    assert empty.land([*TEXTS, *NO_TEXTS]) == len(TEXTS) + len(NO_TEXTS)
    found = empty.query(
        "select event_text, event_bytes, file_name, line_number, topic, topic_partition,"
        f" topic_offset from mrr.{TABLE} order by event_number"
    )
    assert [
        (text and text.encode(), data and bytes(data), *place) for text, data, *place in found
    ] == [
        (*((raw, None) if raw in TEXTS else (None, raw)), "f", number, None, None, None)
        for number, raw in enumerate([*TEXTS, *NO_TEXTS], start=1)
    ]


def test_a_batch_has_one_entry_in_the_change_log_that_names_its_rows(
    empty: EventWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "BATCH_EVENTS", 3)
    assert empty.land([b"%d" % number for number in range(7)]) == 7
    found = empty.query(f"select landing_id, count(*)::int from mrr.{TABLE} group by 1 order by 1")
    assert found == list(zip(logged(empty), (3, 3, 1), strict=True))


def test_event_of_a_topic_lands_once_however_often_it_comes(empty: EventWarehouse) -> None:
    assert land_topic(empty, of_topic(1, 2, 2, 1)) == 2
    assert land_topic(empty, of_topic(2, 3)) == 1
    assert land_topic(empty, of_topic(1, 2, 3)) == 0
    assert land_topic(empty, of_topic(1, partition=1)) == 1
    assert land_topic(empty, of_topic(1, topic="b\t")) == 1
    assert offsets(empty) == [
        *(("a", 0, 1, "1"), ("a", 0, 2, "2"), ("a", 0, 3, "3"), ("a", 1, 1, "1")),
        ("b\t", 0, 1, "1"),
    ]
    # what added no row has no entry
    assert len(logged(empty)) == 4


def test_nothing_of_a_batch_lands_if_it_is_not_committed(empty: EventWarehouse) -> None:
    def broken() -> Iterator[Event]:
        yield from of_topic(1)
        raise OSError("the broker is gone")

    with pytest.raises(OSError, match="the broker is gone"):
        land_topic(empty, broken())
    assert offsets(empty) == []
    assert logged(empty) == []
    assert land_topic(empty, of_topic(1)) == 1


def test_no_transaction_is_open_while_a_topic_is_read(
    empty: EventWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "BATCH_EVENTS", 3)
    seen = []

    def read() -> Iterator[Event]:
        for event_of_topic in of_topic(*range(7)):
            seen.append(empty.connection.info.transaction_status)
            yield event_of_topic
        seen.append(empty.connection.info.transaction_status)

    assert list(land(empty.connection, TABLE, read(), "test")) == [3, 3, 1]
    assert seen == [TRANSACTION_STATUS_IDLE] * 8


def test_batch_of_a_topic_is_bounded_in_bytes(
    empty: EventWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "BATCH_BYTES", 5)
    events = (Event(b"123", TopicPlace("a", 0, offset)) for offset in range(5))
    assert list(land(empty.connection, TABLE, events, "test")) == [2, 2, 1]


def test_what_came_before_a_broker_went_away_lands(empty: EventWarehouse) -> None:
    def broken() -> Iterator[Event]:
        yield from of_topic(1, 2)
        raise StreamError("broker a", "nothing was heard for 60 s", "Start it again.")

    with pytest.raises(StreamError, match="nothing was heard"):
        land_topic(empty, broken())
    assert [offset for _, _, offset, _ in offsets(empty)] == [1, 2]


def test_file_that_is_not_closed_is_told_once_its_events_have_landed(
    empty: EventWarehouse, tmp_path: Path
) -> None:
    path = tmp_path / "events.json"
    path.write_text('[{"a": 1}, {"b": 2}', encoding="utf-8")
    with pytest.raises(ArrayNotClosed):
        list(land(empty.connection, TABLE, events_of_file(path, None), "test"))
    assert empty.value(f"select count(*) from mrr.{TABLE}") == 2


def test_lock_that_is_lost_lets_nothing_land(empty: EventWarehouse) -> None:
    def refuse() -> None:
        raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"):
        list(land(empty.connection, TABLE, of_topic(1), "test", refuse))
    assert offsets(empty) == []


def test_events_of_topics_and_files_make_the_same_rows(empty: EventWarehouse) -> None:
    empty.land([event(transaction_id="TX2")])
    text = json.dumps(event("delete", transaction_id="T")).encode()
    land_topic(empty, iter([Event(text, TopicPlace("a", 0, 0))]))
    empty.build_states()
    assert [(key, is_deleted) for key, *_, is_deleted, _, _, _ in empty.states()] == [
        ("T", True),
        ("TX2", False),
    ]


def test_files_named_alike_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    tmp_path = tmp_path.resolve()
    names = set()
    for day in ("monday", "tuesday"):
        (tmp_path / day).mkdir()
        path = tmp_path / day / "events.json"
        path.write_text("{}\n", encoding="utf-8")
        # the same file, however it is named
        for named in (path, tmp_path / "monday" / ".." / day / "events.json"):
            names |= {event.place.file_name for event in events_of_file(named, None)}
    assert names == {str(tmp_path / day / "events.json") for day in ("monday", "tuesday")}
