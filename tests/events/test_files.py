"""Files of events: each event with its exact text and its line, in whatever form it stands."""

import json
from io import BytesIO
from pathlib import Path
from random import Random

import pytest

from events import arrays
from events.arrays import ArrayElements
from events.errors import ArrayNotClosed, EventFileError, NoArray
from events.event import EVENT_BYTES
from events.files import Form, read_events

LONG = b"x" * (EVENT_BYTES + 10)


def found(path: Path, content: bytes, form: Form | None = None) -> list[tuple[int, bytes]]:
    path.write_bytes(content)
    return [(event.place.line_number, event.raw) for event in read_events(path, form)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.json"


@pytest.mark.parametrize(
    ("content", "events"),
    [
        (b"", []),
        (b"\n \n\t\r\n", []),
        (b'{"a": 1}\n\n{"b": 2}', [(1, b'{"a": 1}'), (3, b'{"b": 2}')]),
        (b'{"a": 1}\r\n{"b": 2}\r\n', [(1, b'{"a": 1}'), (2, b'{"b": 2}')]),
        (b"\xef\xbb\xbf{}\n{", [(1, b"{}"), (2, b"{")]),
        (b"\xff\x00\n{}", [(1, b"\xff\x00"), (2, b"{}")]),
        (LONG + b"\n{}\n", [(1, LONG[: EVENT_BYTES + 1]), (2, b"{}")]),
        (LONG, [(1, LONG[: EVENT_BYTES + 1])]),
    ],
    ids=["empty", "blank", "blank line", "crlf", "mark", "no text", "long", "long at the end"],
)
def test_each_line_that_is_not_blank_is_an_event(
    path: Path, content: bytes, events: list[tuple[int, bytes]]
) -> None:
    assert found(path, content) == events


@pytest.mark.parametrize(
    ("content", "events"),
    [
        (b"[]", []),
        (b"\xef\xbb\xbf \n[ ]\n", []),
        (b'[{"a": "]}, {\\""},{"b":[1,{}]}]', [(1, b'{"a": "]}, {\\""}'), (1, b'{"b":[1,{}]}')]),
        (b'[\n{"a": 1},\n{"b": 1.0}\n]\n', [(2, b'{"a": 1}'), (3, b'{"b": 1.0}')]),
        (b'[{\n"a":\n1},{}]', [(1, b'{\n"a":\n1}'), (3, b"{}")]),
        (b"[1, null, 2e5]", [(1, b"1"), (1, b"null"), (1, b"2e5")]),
        (b'[{"a": }, {"b": 1}]', [(1, b'{"a": }'), (1, b'{"b": 1}')]),
        (b'[{"a": "b\n,{"c": 1}]', [(1, b'{"a": "b\n'), (2, b'{"c": 1}')]),
        (b'[{"a": {"b": 1},\n{"c": 1}]', [(1, b'{"a": {"b": 1}'), (2, b'{"c": 1}')]),
        (b'[{"\xff": 1}, {"b": "\xc3\xa9"}]', [(1, b'{"\xff": 1}'), (1, b'{"b": "\xc3\xa9"}')]),
        (b'[{"b": 1}, {"a": ]', [(1, b'{"b": 1}'), (1, b'{"a":')]),
        (b"[{" + LONG + b", {}]", [(1, (b"{" + LONG)[: EVENT_BYTES + 1]), (1, b"{}")]),
        (b'["' + LONG + b'", {}]', [(1, (b'"' + LONG)[: EVENT_BYTES + 1]), (1, b"{}")]),
    ],
    ids=[
        *("empty", "mark", "one line", "lines", "within", "no objects", "broken", "open string"),
        *("open object", "no text", "last", "long and broken", "long"),
    ],
)
def test_each_element_of_an_array_is_an_event(
    path: Path, content: bytes, events: list[tuple[int, bytes]]
) -> None:
    assert found(path, content) == events


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_elements_do_not_depend_on_how_the_file_is_read(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(arrays, "READ_BYTES", size)
    chance = Random(size)
    values = [
        {"a": chance.choice(['é\\"[{', "", 1.5, None, [1, {"b": "]"}]]), "n": number}
        for number in range(50)
    ]
    indent = chance.choice([None, 2])
    text = json.dumps(values, ensure_ascii=False, indent=indent).encode()
    elements = ArrayElements(BytesIO(text))
    assert [json.loads(raw) for _, raw in elements] == values
    assert elements.is_closed


def test_form_that_is_given_overrules_the_first_character(path: Path) -> None:
    assert found(path, b"[1]\n[2]\n", Form.LINES) == [(1, b"[1]"), (2, b"[2]")]


@pytest.mark.parametrize(
    "content", [b"[", b'[{"a": 1}', b'[{"a": 1},', b'[{"a": 1}, {"b', b'[{"a": 1}] ?']
)
def test_array_that_is_not_closed_is_told_after_its_last_event(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    events = []
    with pytest.raises(ArrayNotClosed) as caught:
        events.extend(read_events(path))
    assert str(caught.value) == (
        f"file {path}: its array is not closed; the events that it has have landed\n"
        "HINT: Write the file again to its end, and land it again."
    )
    assert (b'{"a": 1}' in [event.raw for event in events]) is (b"a" in content)


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match=r"cannot be read \(Is a directory\)\nHINT: Give the"):
        list(read_events(tmp_path))


@pytest.mark.parametrize("text", ["", '{"operation": "insert"}'])
def test_file_that_is_no_array_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "events.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NoArray) as told:
        list(read_events(path, Form.ARRAY))
    assert str(told.value) == (
        f"file {path}: it is no JSON array: it does not begin with [\n"
        "HINT: Leave --form array out, if it has an event in each line."
    )
