"""Names of tables and columns that mean something to YAML, Jinja, SQL, a shell or a terminal."""

from collections.abc import Iterator


def _words(text: str) -> list[str]:
    return text.split()


WORDS = _words(
    "select from where table user order group by index key primary foreign references null true"
    " false default check limit offset window all any array analyse with union into values column"
    " view grant role current_user session_user collate desc end case when do set row rows"
)
"""What PostgreSQL or MySQL reserves."""
OURS = _words(
    "ctid xmin xmax cmin cmax tableoid oid _dlt_load_id _dlt_id _dlt_version run_id table_name"
    " row_key change_id dbt_scd_id dbt_valid_from dbt_valid_to this ref source var target none"
)
"""What PostgreSQL, dlt, dbt or Tidemark calls something of its own."""
YAML = _words(
    "1 007 1e5 0x1F 1_000 12:30 2024-01-01 yes no on off y n null ~ .inf .nan - -- --- ... = <<"
    " !!str &a *a @a %TAG |- >- ?"
)
"""What YAML takes for something else than a text."""
JINJA = [
    "{{ x }}",
    "{{ env_var('HOME') }}",
    "{{ 1/0 }}",
    "{% raw %}",
    "{%- endraw -%}",
    "{# c #}",
    "{{",
    "}}",
    "%}",
    "#}",
    "{{'{{'}}",
    "{ { x } }",
]
SQL = [
    "'; drop table x; --",
    '"; drop table x; --',
    "`; drop table x; --",
    "') or ('1'='1",
    "/* x */",
    "/*! select */",
    "*/",
    "-- x",
    "# x",
    "$$",
    "$1",
    "$tag$",
    "%s",
    "%(x)s",
    "%%",
    "%",
    ":x",
    ":'x'",
    "::text",
    "@x",
    "@@x",
    "?",
    "\\",
    "\\n",
    "a\\",
    "\\'",
    "U&\\0041",
    "''",
    '""',
    "``",
    "a.b",
    '"a"."b"',
    "(",
    ")",
    "[1]",
    "a,b",
    "a=b",
]
SHELL = ["$(id)", "`id`", "${HOME}", "a b", "a  b", " a", "../x", "a/b", "~/x", "a|b", "a&b", "*"]
CONTROL = ["a\nb", "a\rb", "a\tb", "a\bb", "\x01", "\x1b[31m", "a\x7fb", "a\u0085b", "a\u2028b"]
"""What moves a terminal's cursor, or ends a line."""
UNICODE = [
    "größe",
    "GRÖSSE",
    "漢字",
    "Ωmega",
    "\u017f",  # the long s, whose capital is S
    "İ",
    "\u0131",  # the i without a dot, whose capital is I
    "\u212a",  # the sign of Kelvin, whose small letter is k
    "e\u0301",
    "\u00e9",
    "\u200bzero",
    "\ufeffbom",
    "a\u00a0b",
    "a\u202eb",
    "\uff02",  # a wide quotation mark
    "\ue000",
    "שלום",
    "ไทย",
    "a\u0000b".replace("\u0000", "\u2400"),
]
LONG = [
    "x" * 63,
    "x" * 64,
    "'" * 50,
    '"' * 50,
    "`" * 50,
    "\\" * 50,
    "%" * 50,
    "ä" * 31,
    "ä" * 32,
    "ä" * 64,
    "漢" * 21,
    "漢" * 22,
    "漢" * 50,
]
"""As long as MySQL, PostgreSQL or a file system allows.

MySQL counts characters, and PostgreSQL bytes. In the name of a file, MySQL writes most characters
that are not letters of ours as five.
"""


def _around() -> Iterator[str]:
    """Each printable character of ASCII that is no letter or digit, in the midst of a name."""
    for number in range(0x20, 0x7F):
        if not chr(number).isalnum():
            yield f"a{chr(number)}b"


NAMES = tuple(
    dict.fromkeys(
        [*_around(), *WORDS, *OURS, *YAML, *JINJA, *SQL, *SHELL, *CONTROL, *UNICODE, *LONG]
    )
)
"""Names that MySQL allows, each once."""
NOT_MYSQLS = ("a ", "😀", "a𝄞", "x" * 65, "")
"""Names that it does not allow: with a blank at the end, beyond U+FFFF, too long, none."""
SAMPLE = (
    *('a"b', "a\\b", "select", "ctid", "007", "{{ x }}", "%(x)s", "'; drop table x; --"),
    *("a\nb", "a\u202eb", "größe", "x" * 64),
)
"""Some of each kind."""


def name_id(name: str) -> str:
    """The name as the id of a test."""
    return name.encode("unicode_escape").decode() or "none"
