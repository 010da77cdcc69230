"""Texts of the source as PostgreSQL can store them: in UTF-8, without NULs and surrogates.

The source replaces what cannot be stored, so that its digests are those of what is stored.
"""

from extract.mysql.facts import ColumnFacts, Dialect

NUL_PICTURE = "\u2400"
"""The mirror's replacement for the character NUL, which PostgreSQL cannot store, and for a value
of an ENUM or a SET with a member '' that is shown as '' or as nothing and is neither."""
REPLACEMENT = "\ufffd"
"""The first character of the mark after a text of which some bytes are not Unicode."""
LOST = ("3f", "efbfbd", "00")
"""What servers put in place of invalid characters: ?, U+FFFD or NUL, as hexadecimal UTF-8."""
MARK_DIGITS = 16
"""The number of hexadecimal digits of the SHA-256 of such a text in its mark."""

UTF8 = {"utf8mb4", "utf8mb3", "utf8"}
UTF16 = {"ucs2", "utf16", "utf16le", "utf32"}
"""Character sets in which an unpaired surrogate is the only invalid character."""
EVERY_BYTE_IS_A_CHARACTER = {"latin1"}
SHORT_TEXT = 16_384
"""The most octets of a text to which a function of quadratic time may be applied."""


def _converted(facts: ColumnFacts, name: str) -> str:
    """A text's bytes in UTF-8, with ? for invalid characters; a surrogate remains."""
    if facts.charset in UTF8:
        return f"cast({name} as binary)"
    return f"cast(convert({name} using utf8mb4) as binary)"


def fast_text(facts: ColumnFacts, name: str) -> str:
    """A text's bytes in UTF-8; only NULs, and surrogates in UTF-8, are left as they are."""
    if facts.charset in UTF8:
        return _converted(facts, name)
    condition = no_unicode(facts, name)
    converted = _converted(facts, name)
    return f"if({condition}, {_marked(facts, name)}, {converted})" if condition else converted


def storable_text(facts: ColumnFacts, name: str) -> str:
    """A text's bytes in UTF-8 as PostgreSQL can store them."""
    converted, condition = _converted(facts, name), no_unicode(facts, name)
    fast = f"if({condition}, {_marked(facts, name)}, {converted})" if condition else converted
    is_odd = f"locate(x'00', {converted}) > 0" + (f" or {condition}" if condition else "")
    return f"if({is_odd}, {_pictured(facts, fast)}, {converted})"


def _marked(facts: ColumnFacts, name: str) -> str:
    """A text with ? for invalid characters, followed by a mark that is made of its bytes.

    So two different such texts remain different, and differ from the text that they look like.
    There is no mark after a longer text, since its pieces could not be compared, and after a text
    whose characters all have a Unicode equivalent, but are converted back to other bytes.
    """
    text = _converted(facts, name)
    if facts.charset in UTF8 | UTF16:
        text = f"cast(convert(convert({name} using utf16) using utf8mb4) as binary)"
    lost = " or ".join(f"locate(x'{octets}', {text}) > 0" for octets in LOST)
    mark = f"concat('{REPLACEMENT}', left(sha2(cast({name} as binary), 256), {MARK_DIGITS}))"
    is_marked = f"octet_length({facts.quoted}) <= {SHORT_TEXT} and ({lost})"
    return f"concat({text}, if({is_marked}, {mark}, ''))"


def no_unicode(facts: ColumnFacts, name: str) -> str | None:
    """The source's predicate for a text with bytes that are not a Unicode character.

    These are bytes that differ after a conversion to Unicode and back. None if every byte is a
    character.
    """
    if facts.charset is None or facts.charset in EVERY_BYTE_IS_A_CHARACTER:
        return None
    octets, unicode = f"cast({name} as binary)", f"convert({name} using utf8mb4)"
    if facts.charset in UTF8 | UTF16:
        # only UTF-16 refuses an unpaired surrogate
        unicode = f"convert(convert({name} using utf16) using utf8mb4)"
    if facts.charset in UTF8:
        # a surrogate begins with this byte, as do some other characters
        return f"(locate(x'ED', {octets}) > 0 and not (cast({unicode} as binary) <=> {octets}))"
    back = f"convert({unicode} using {facts.charset})"
    # the octets of a text that is too wide are NULL: such a text is examined in pieces; and for
    # MariaDB, a cast of a column that is NOT NULL never IS NULL
    is_wide = f"ifnull(octet_length({octets}), -1) < 0 and {name} is not null"
    return f"(not (cast({back} as binary) <=> {octets}) or ({is_wide}))"


def has_nul(facts: ColumnFacts, name: str) -> str | None:
    """The source's predicate for a text, or a part of one, with the character NUL."""
    if facts.charset is None:
        return None
    return f"(locate(x'00', {_converted(facts, name)}) > 0)"


def _pictured(facts: ColumnFacts, text: str) -> str:
    """A text's bytes with the picture of NUL in place of each NUL.

    A function of quadratic time must not be used: it takes hours for a long text, and cannot be
    killed meanwhile. REPLACE() of MariaDB and MySQL 5 is one, unless both texts have one length.
    """
    picture = f"x'{NUL_PICTURE.encode().hex()}'"
    if facts.dialect is Dialect.MARIADB:
        return f"regexp_replace({text}, '\\\\x00', {picture})"
    if facts.dialect is Dialect.MYSQL:
        return f"replace({text}, x'00', {picture})"
    short = f"octet_length({facts.quoted}) <= {SHORT_TEXT}"
    return f"if({short}, replace({text}, x'00', {picture}), replace({text}, x'00', '?'))"


def storable(text: bytes) -> bytes:
    """A text in UTF-8 as the source would write it for PostgreSQL, if the source cannot."""
    if b"\xed" in text:
        characters = text.decode("utf-8", "surrogatepass")
        # only a text that is too long for a mark comes here
        text = characters.encode("utf-8", "replace")
    return text.replace(b"\0", NUL_PICTURE.encode())
