"""Files of JSON: each text exactly, with its line, in whatever form it stands."""

import gzip
import json
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from json_files import arrays
from json_files.arrays import ArrayElements
from json_files.errors import ArrayNotClosed, JsonFileError, NoArray, NoPlainText
from json_files.files import Form, read_texts

LONGEST = 1_048_576
LONG = b"x" * (LONGEST + 10)
BLANKS = b" " * (2 * LONGEST)
PARTS = (
    *('{"a": 1}', '{"a": [1, {"b": "]"}]}', '{"a": "é\\\\\\"[{"}', '{"a": ', '{"a": "b', "["),
    *("[1, 2]", "]", "}", '"', ",", ", ", ",{", "\n", "\r\n", " ", "  \t", "{", "1", "-1.5e+7"),
    *(
        "1e",
        "null",
        "x",
        "\udcff",
        "\u00a0",
        "\ufeff",
        "\0",
        "y" * 30,
        " " * 30,
        "]" * 8,
        ",\n" * 8,
    ),
)
"""Pieces of arrays, and of what may stand in their place."""


def found(path: Path, content: bytes, form: Form | None = None) -> list[tuple[int, bytes]]:
    path.write_bytes(content)
    return list(read_texts(path, LONGEST, form))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.json"


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"", []),
        (b"\n \n\t\r\n", []),
        (b'{"a": 1}\n\n{"b": 2}', [(1, b'{"a": 1}'), (3, b'{"b": 2}')]),
        (b'{"a": 1}\r\n{"b": 2}\r\n', [(1, b'{"a": 1}'), (2, b'{"b": 2}')]),
        (b"\xef\xbb\xbf{}\n{", [(1, b"{}"), (2, b"{")]),
        (b"\xff\x00\n{}", [(1, b"\xff\x00"), (2, b"{}")]),
        (LONG + b"\n{}\n", [(1, LONG[: LONGEST + 1]), (2, b"{}")]),
        (LONG, [(1, LONG[: LONGEST + 1])]),
        (BLANKS + b"\r\n{}", [(2, b"{}")]),
        (BLANKS + b"{}\n{}", [(1, BLANKS[: LONGEST + 1]), (2, b"{}")]),
        (b"{}\r\r\n", [(1, b"{}\r")]),
    ],
    ids=[
        *("empty", "blank", "blank line", "crlf", "mark", "no text", "long", "long at the end"),
        *("long and blank", "long after blanks", "two returns"),
    ],
)
def test_each_line_that_is_not_blank_is_a_text(
    path: Path, content: bytes, texts: list[tuple[int, bytes]]
) -> None:
    assert found(path, content) == texts


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"[]", []),
        (b"\n" * 70_000 + b"[{}]", [(70_001, b"{}")]),
        (b"\xef\xbb\xbf \n[ ]\n", []),
        (b'[{"a": "]}, {\\""},{"b":[1,{}]}]', [(1, b'{"a": "]}, {\\""}'), (1, b'{"b":[1,{}]}')]),
        (b'[\n{"a": 1},\n{"b": 1.0}\n]\n', [(2, b'{"a": 1}'), (3, b'{"b": 1.0}')]),
        (b'[{\n"a":\n1},{}]', [(1, b'{\n"a":\n1}'), (3, b"{}")]),
        (b"[1, null, 2e5]", [(1, b"1"), (1, b"null"), (1, b"2e5")]),
        (b'[{"a": }, {"b": 1}]', [(1, b'{"a": }'), (1, b'{"b": 1}')]),
        (b'[{"a": "b\n,{"c": 1}]', [(1, b'{"a": "b'), (2, b'{"c": 1}')]),
        (b'[{"a": {"b": 1},\n{"c": 1}]', [(1, b'{"a": {"b": 1}'), (2, b'{"c": 1}')]),
        (b'[{"\xff": 1}, {"b": "\xc3\xa9"}]', [(1, b'{"\xff": 1}'), (1, b'{"b": "\xc3\xa9"}')]),
        (b'[{"b": 1}, {"a": ]', [(1, b'{"b": 1}'), (1, b'{"a":')]),
        (b"[{" + LONG + b", {}]", [(1, (b"{" + LONG)[: LONGEST + 1]), (1, b"{}")]),
        (b'["' + LONG + b'", {}]', [(1, (b'"' + LONG)[: LONGEST + 1]), (1, b"{}")]),
    ],
    ids=[
        *(
            "empty",
            "late",
            "mark",
            "one line",
            "lines",
            "within",
            "no objects",
            "broken",
            "open string",
        ),
        *("open object", "no text", "last", "long and broken", "long"),
    ],
)
def test_each_element_of_an_array_is_a_text(
    path: Path, content: bytes, texts: list[tuple[int, bytes]]
) -> None:
    assert found(path, content) == texts


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
    elements = ArrayElements(BytesIO(text), LONGEST)
    assert [json.loads(raw) for _, raw in elements] == values
    assert elements.is_closed


def read_in_pieces(
    monkeypatch: pytest.MonkeyPatch, content: bytes, size: int, longest: int = LONGEST
) -> ArrayElements:
    monkeypatch.setattr(arrays, "READ_BYTES", size)
    return ArrayElements(BytesIO(content), longest)


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(parts=st.lists(st.sampled_from(PARTS), max_size=25), size=st.integers(1, 40))
def test_no_byte_of_an_array_is_lost_however_it_is_broken_and_read(
    monkeypatch: pytest.MonkeyPatch, parts: list[str], size: int
) -> None:
    monkeypatch.setattr(arrays, "SCANNED_MORE", 24 - LONGEST)
    content = ("[" + "".join(parts)).encode("utf-8", "surrogateescape")
    whole = read_in_pieces(monkeypatch, content, len(content))
    elements = list(whole)
    pieces = read_in_pieces(monkeypatch, content, size)
    assert list(pieces) == elements
    assert pieces.is_closed is whole.is_closed
    at = 1
    for line, raw in elements:
        found = content.index(raw, at)
        assert content[at:found].strip(b" \t\r\n,") == b""
        assert line == 1 + content.count(b"\n", 0, found)
        at = found + len(raw)
    assert content[at:].strip(b" \t\r\n,") == (b"]" if whole.is_closed else b"")


@pytest.mark.parametrize("filler", ["x", "x ", "\n", ", ", "]", "\u00e9"], ids=ascii)
def test_texts_after_a_long_broken_one_are_found_in_their_lines(
    monkeypatch: pytest.MonkeyPatch, filler: str
) -> None:
    monkeypatch.setattr(arrays, "SCANNED_MORE", 120)
    broken = '{"a": \n' + filler * 300 + "x\n,"
    for size in range(len(broken.encode()) - 3, len(broken.encode()) + 3):
        content = f'[{broken}{{"b": 1}}]'.encode()
        elements = read_in_pieces(monkeypatch, content, size, longest=40)
        assert list(elements) == [
            (1, broken.encode()[:41]),
            (1 + broken.count("\n"), b'{"b": 1}'),
        ]


def test_number_of_very_many_digits_is_no_end_of_its_text(path: Path) -> None:
    raw = b'{"a": ' + b"1" * 5000 + b', "b": [1,{}]}'
    assert found(path, b"[" + raw + b",{}]") == [(1, raw), (1, b"{}")]


def test_form_that_is_given_overrules_the_first_character(path: Path) -> None:
    assert found(path, b"[1]\n[2]\n", Form.LINES) == [(1, b"[1]"), (2, b"[2]")]


@pytest.mark.parametrize(
    "content", [b"[", b'[{"a": 1}', b'[{"a": 1},', b'[{"a": 1}, {"b', b'[{"a": 1}] ?']
)
def test_array_that_is_not_closed_is_told_after_its_last_text(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    texts: list[tuple[int, bytes]] = []
    with pytest.raises(ArrayNotClosed) as caught:
        texts.extend(read_texts(path, LONGEST))
    assert str(caught.value) == (
        f"file {path}: it ends before its array is closed\n"
        "HINT: Write the file again to its end, and land it again."
    )
    assert (b'{"a": 1}' in [raw for _, raw in texts]) is (b"a" in content)


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(JsonFileError, match=r"cannot be read \(Is a directory\)\nHINT: Give the"):
        list(read_texts(tmp_path, LONGEST))


@pytest.mark.parametrize("form", [None, *Form])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (gzip.compress(b"{}\n"), "compressed"),
        ("{}\n".encode("utf-16"), "UTF-16 or UTF-32"),
        ("[{}]".encode("utf-16-le"), "UTF-16 or UTF-32"),
        ("[{}]".encode("utf-32-be"), "UTF-16 or UTF-32"),
    ],
    ids=["gzip", "utf-16 with a mark", "utf-16", "utf-32"],
)
def test_file_that_is_no_plain_text_is_told(
    path: Path, content: bytes, problem: str, form: Form | None
) -> None:
    with pytest.raises(NoPlainText) as told:
        found(path, content, form)
    assert str(told.value) == (
        f"file {path}: it is {problem}, and nothing of it was read\n"
        "HINT: Unpack it, or write it as UTF-8, and give that file."
    )


@pytest.mark.parametrize("text", ["", '{"operation": "insert"}'])
def test_file_that_is_no_array_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "events.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NoArray) as told:
        list(read_texts(path, LONGEST, Form.ARRAY))
    assert str(told.value) == (
        f"file {path}: it is no JSON array: it does not begin with [\n"
        "HINT: Leave --form array out, if it has a JSON text in each line."
    )
