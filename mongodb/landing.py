"""Landing: documents arrive in a temporary table, each under a key that no other one has."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from psycopg2.extensions import cursor as Cursor

from json_files.copying import as_text, copy_rows, escaped
from json_files.files import Form, read_texts
from mongodb.document import DOCUMENT_BYTES, NOT_JSON, Document, document
from mongodb.errors import ExportCutOff

LANDED = "pg_temp.landed_documents"
DUPLICATE = "document has the _id of an earlier one of the same export"
MEMORY = "128MB"
"""What the warehouse may use to join all documents of an export with the mirror."""


def documents_of(paths: Iterable[Path], form: Form | None) -> Iterator[Document]:
    """The documents of an export. Raises JsonFileError; ExportCutOff after the last document."""
    for path in paths:
        found = None
        for line_number, raw in read_texts(path, DOCUMENT_BYTES, form):
            found = document(raw, path.name, line_number)
            yield found
        if found and found.fault == NOT_JSON and not _ends_with_a_line(path):
            raise ExportCutOff(path, found.line_number)


def land(cursor: Cursor, documents: Iterable[Document]) -> int:
    """Land the documents in the table LANDED, until the transaction ends; returns how many.

    Those without a key of their own are to get one by `give_keys`.
    """
    cursor.execute(f"set local work_mem = '{MEMORY}'")
    cursor.execute(
        "create temporary table landed_documents (landed_number bigint not null,"
        ' document_key text collate "C", document_text text, document_bytes bytea,'
        " file_name text not null, line_number bigint not null, fault text) on commit drop"
    )
    copy_rows(cursor, LANDED, (_row(number, one) for number, one in enumerate(documents, start=1)))
    landed = cursor.rowcount
    _set_duplicates_apart(cursor)
    return landed


def give_keys(cursor: Cursor) -> None:
    """Give a document without a usable `_id` a key of its place and its contents.

    It is in parentheses, with which no JSON begins. The same file gives the same keys.
    """
    cursor.execute(
        f"""
        update {LANDED} as landed
        set document_key = format(
            '(%s:%s:%s %s)', file_name, line_number, numbered.number,
            left(encode(sha256(coalesce(
                document_bytes, convert_to(document_text, 'UTF8')
            )), 'hex'), 16)
        )
        from (
            select
                landed_number,
                row_number() over (
                    partition by file_name, line_number order by landed_number
                ) as number
            from {LANDED}
            where document_key is null
        ) as numbered
        where landed.landed_number = numbered.landed_number
        """
    )
    cursor.execute(f"analyze {LANDED}")


def _row(number: int, one: Document) -> bytes:
    return b"%d\t%b\t%b\t%b\t%d\t%b\n" % (
        number,
        _or_null(one.key),
        as_text(one.raw, DOCUMENT_BYTES),
        escaped(one.file_name.encode("utf-8", "backslashreplace")),
        one.line_number,
        _or_null(one.fault),
    )


def _or_null(text: str | None) -> bytes:
    return b"\\N" if text is None else escaped(text.encode())


def _set_duplicates_apart(cursor: Cursor) -> None:
    """Of documents with one `_id`, the first one keeps the key."""
    cursor.execute(
        f"""
        update {LANDED} as landed set document_key = null, fault = '{DUPLICATE}'
        from (
            select document_key, min(landed_number) as first_number
            from {LANDED}
            where document_key is not null
            group by document_key
            having count(*) > 1
        ) as repeated
        where
            landed.document_key = repeated.document_key
            and landed.landed_number > repeated.first_number
        """
    )


def _ends_with_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) in b"\n\r]"
