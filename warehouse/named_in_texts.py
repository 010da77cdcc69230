"""Whom a text that landed names by a field, and the text without them.

JSON is read as JSON: every value of the field counts, at any depth, however it is written, and if
an object has the field twice. In text that is not JSON, and in the strings of JSON, a value counts
that stands beside the field's name, with only quotes, spaces, colons and the like between them. In
Extended JSON, a number may be an object with one field.
"""

import json
import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from functools import cached_property
from json import JSONDecoder
from typing import Any

ERASED_TEXT = "(erased)"
NOBODY = "-1"
LONGEST_KEY = 40
"""Digits; a number such as 1e400000 is nobody's key."""
# no repetition is without a bound, so that no text takes longer than others
_ESCAPED = re.compile(r"\\{1,8}u([0-9a-fA-F]{4})")
_CODE = "00(?:0[9aAdD]|2[0267cC]|3[aAcCdDeE]|7[bB])"
"""Codes of white space, of quotes, and of what else stands before a name or after it."""
_SEPARATOR = f"(?:u{_CODE}|[nrt])"
"""What follows the backslash of such a character."""
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


class _Number(str):
    """A number as it was written."""


class _Object(list[tuple[str, Any]]):
    """The fields of an object, also those that it has twice."""


_decode = JSONDecoder(
    object_pairs_hook=_Object, parse_float=_Number, parse_int=_Number, parse_constant=_Number
).decode


class NamedBy:
    """The persons that a field names by their keys.

    If it `has_decimals`, whoever reads the texts takes 7.0 for the whole number 7.
    """

    def __init__(self, field: str, has_decimals: bool) -> None:
        self.field = field
        self._has_decimals = has_decimals

    def keys(self, text: str) -> set[str]:
        """The keys that a text names; a whole number is without zeros before and after it."""
        try:
            return set(self._keys_of(_decode(text)))
        except (ValueError, RecursionError):
            return set(self._keys_beside(text))

    def without(self, text: str, keys: Collection[str]) -> str:
        """The text, in which the field names nobody instead of these persons."""
        try:
            return self._written(_decode(text), keys, is_named=False)
        except (ValueError, RecursionError):
            left = self._without_beside(text, keys)
        # a text that was refused must not be accepted now
        return ERASED_TEXT if _is_json(left) else left

    @cached_property
    def _beside(self) -> re.Pattern[str]:
        name = "".join(rf"(?:{re.escape(one)}|\\{{1,8}}u(?i:{ord(one):04x}))" for one in self.field)
        before = rf"(?:(?<![A-Za-z0-9_])|(?<=\\[nrt])|(?<=\\u{_CODE}))"
        beside = rf"(?:[\s\"'\\:=>]|(?<=\\){_SEPARATOR}){{0,1000}}?"
        extended = rf"(?:\{{{beside}\$number(?:Int|Long|Double|Decimal){beside})?"
        between = rf"(?![A-Za-z0-9_]){beside}{extended}"
        other = rf"[^\s\"'\\:=>,;{{}}\[\]()]|\\{{1,8}}u(?!{_CODE})[0-9a-fA-F]{{4}}"
        value = rf"(?!(?<=\\){_SEPARATOR})(?:{other})+"
        return re.compile(rf"({before}{name}{between})({value})")

    def _keys_beside(self, text: str) -> Iterator[str]:
        for found in self._beside.finditer(text):
            value = _unescaped(found[2])
            yield value
            if number := _NUMBER.match(value):
                yield canonical(number[0])

    def _without_beside(self, text: str, keys: Collection[str]) -> str:
        def written(found: re.Match[str]) -> str:
            value = _unescaped(found[2])
            number = _NUMBER.match(value)
            if number and canonical(number[0]) in keys:
                rest = "" if "\\" in found[2] else value[number.end() :]
                return f"{found[1]}{NOBODY}{rest}"
            return f"{found[1]}{NOBODY}" if value in keys else found[0]

        return self._beside.sub(written, text)

    def _keys_of(self, whole: Any) -> Iterator[str]:
        left = [(whole, False)]
        while left:
            value, is_named = left.pop()
            if isinstance(value, _Object):
                for name, of_name in value:
                    yield from self._keys_beside(name)
                    left.append((of_name, is_named or name == self.field))
            elif isinstance(value, list):
                left += [(one, is_named) for one in value]
            elif isinstance(value, str):
                if is_named:
                    yield canonical(value)
                yield from self._keys_beside(value)

    def _written(self, value: Any, keys: Collection[str], is_named: bool) -> str:
        if isinstance(value, _Object):
            fields = (
                f"{json.dumps(self._without_beside(name, keys))}:"
                f" {self._written(of_name, keys, is_named or name == self.field)}"
                for name, of_name in value
            )
            return f"{{{', '.join(fields)}}}"
        if isinstance(value, list):
            return f"[{', '.join(self._written(one, keys, is_named) for one in value)}]"
        if is_named and isinstance(value, str) and canonical(value) in keys:
            return self._nobody(value)
        if isinstance(value, _Number):
            return value
        if isinstance(value, str):
            return json.dumps(self._without_beside(value, keys))
        return json.dumps(value)

    def _nobody(self, value: str) -> str:
        """Nobody in the place of a value; null for one that is not written as a whole number.

        A text that was refused for such a value must not be accepted without it.
        """
        is_whole = self._has_decimals and _NUMBER.fullmatch(value) is not None
        if isinstance(value, _Number):
            number = _decimal(value)
            is_whole |= number is not None and int(number.as_tuple().exponent) >= 0
            return NOBODY if is_whole else "null"
        return json.dumps(NOBODY) if is_whole or value.isdigit() else "null"


def canonical(value: str) -> str:
    """A key as it is compared: 7 for 007, 7.0 and 70e-1."""
    value = value.strip()
    if not _NUMBER.fullmatch(value):
        return value
    number = _decimal(value)
    if number is None or number.adjusted() > LONGEST_KEY or number != number.to_integral_value():
        return value
    return str(int(number))


def _decimal(value: str) -> Decimal | None:
    try:
        return Decimal(value)
    except ArithmeticError:
        return None


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _is_json(text: str) -> bool:
    try:
        _decode(text)
    except (ValueError, RecursionError):
        return False
    return True
