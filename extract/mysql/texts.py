"""Texts of the source as PostgreSQL can store them: in UTF-8, without NUL, and without a surrogate.

What cannot be stored is replaced by the source itself, so that its digests are of what is stored.
"""

from extract.mysql.facts import ColumnFacts, Dialect

NUL_PICTURE = "\u2400"
"""What stands in the mirror for the character NUL, which PostgreSQL cannot store, and for what
an ENUM or a SET with a member '' shows as '' or as nothing, and is not."""
REPLACEMENT = "\ufffd"
"""What begins the mark behind a text of which some bytes are no Unicode character."""
LOST = ("3f", "efbfbd", "00")
"""What servers put in place of what is no character: ?, U+FFFD or NUL, as hexadecimal UTF-8."""
MARK_DIGITS = 16
"""Hexadecimal digits of the SHA-256 of the bytes of such a text that stand in its mark."""

UTF8 = {"utf8mb4", "utf8mb3", "utf8"}
UTF16 = {"ucs2", "utf16", "utf16le", "utf32"}
"""Character sets in which a surrogate can stand alone, and nothing else is no character."""
EVERY_BYTE_IS_A_CHARACTER = {"latin1"}
SHORT_TEXT = 16_384
"""Octets of a text in which a function of quadratic time may replace something."""


def _converted(facts: ColumnFacts, name: str) -> str:
    """A text's bytes in UTF-8, with ? in place of what is no character; a surrogate stays."""
    if facts.charset in UTF8:
        return f"cast({name} as binary)"
    return f"cast(convert({name} using utf8mb4) as binary)"


def plain_text(facts: ColumnFacts, name: str) -> str:
    """A text's bytes in UTF-8; only a NUL or a surrogate in UTF-8 is left as it is."""
    if facts.charset in UTF8:
        return _converted(facts, name)
    condition = no_unicode(facts, name)
    converted = _converted(facts, name)
    return f"if({condition}, {_marked(facts, name)}, {converted})" if condition else converted


def storable_text(facts: ColumnFacts, name: str) -> str:
    """A text's bytes in UTF-8 as PostgreSQL can store them."""
    converted, condition = _converted(facts, name), no_unicode(facts, name)
    plain = f"if({condition}, {_marked(facts, name)}, {converted})" if condition else converted
    is_odd = f"locate(x'00', {converted}) > 0" + (f" or {condition}" if condition else "")
    return f"if({is_odd}, {_pictured(facts, plain)}, {converted})"


def _marked(facts: ColumnFacts, name: str) -> str:
    """A text with ? in place of what is no character, and behind it a mark made of its bytes.

    So two such texts stay two, and differ from the text that they look like. Without a mark is a
    text that is longer, of which no piece could tell it, and one whose every character has a
    Unicode, but comes back from it as other bytes.
    """
    text = _converted(facts, name)
    if facts.charset in UTF8 | UTF16:
        text = f"cast(convert(convert({name} using utf16) using utf8mb4) as binary)"
    lost = " or ".join(f"locate(x'{octets}', {text}) > 0" for octets in LOST)
    mark = f"concat('{REPLACEMENT}', left(sha2(cast({name} as binary), 256), {MARK_DIGITS}))"
    is_marked = f"octet_length({facts.quoted}) <= {SHORT_TEXT} and ({lost})"
    return f"concat({text}, if({is_marked}, {mark}, ''))"


def no_unicode(facts: ColumnFacts, name: str) -> str | None:
    """The source's predicate that a text has bytes that are no Unicode character.

    They are those that do not come back from Unicode. None where every byte is a character.
    """
    if facts.charset is None or facts.charset in EVERY_BYTE_IS_A_CHARACTER:
        return None
    octets, unicode = f"cast({name} as binary)", f"convert({name} using utf8mb4)"
    if facts.charset in UTF8 | UTF16:
        # UTF-16 alone refuses a surrogate without its other half
        unicode = f"convert(convert({name} using utf16) using utf8mb4)"
    if facts.charset in UTF8:
        # a surrogate begins with this byte, as some other characters do
        return f"(locate(x'ED', {octets}) > 0 and not (cast({unicode} as binary) <=> {octets}))"
    back = f"convert({unicode} using {facts.charset})"
    # the octets of a text that is too wide are NULL: it may have such, and its pieces tell
    is_wide = f"{octets} is null and {name} is not null"
    return f"(not (cast({back} as binary) <=> {octets}) or ({is_wide}))"


def has_nul(facts: ColumnFacts, name: str) -> str | None:
    """The source's predicate that a text, or a part of it, has the character NUL."""
    if facts.charset is None:
        return None
    return f"(locate(x'00', {_converted(facts, name)}) > 0)"


def _pictured(facts: ColumnFacts, text: str) -> str:
    """A text's bytes with the picture of NUL in place of each.

    Never by a function that takes quadratic time, in which it cannot be killed, and of a long text
    hours: REPLACE() of MariaDB and of MySQL 5 is one, unless both texts are of one length.
    """
    picture = f"x'{NUL_PICTURE.encode().hex()}'"
    if facts.dialect is Dialect.MARIADB:
        return f"regexp_replace({text}, '\\\\x00', {picture})"
    if facts.dialect is Dialect.MYSQL:
        return f"replace({text}, x'00', {picture})"
    short = f"octet_length({facts.quoted}) <= {SHORT_TEXT}"
    return f"if({short}, replace({text}, x'00', {picture}), replace({text}, x'00', '?'))"


def storable(text: bytes) -> bytes:
    """A text in UTF-8 as the source would write it for PostgreSQL, made here where it cannot."""
    if b"\xed" in text:
        characters = text.decode("utf-8", "surrogatepass")
        # such a text comes here only where it is too long for a mark
        text = characters.encode("utf-8", "replace")
    return text.replace(b"\0", NUL_PICTURE.encode())
