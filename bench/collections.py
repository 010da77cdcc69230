"""A million documents, from files of mongoexport to the columns of `stg`: the rows and the rates.

python -m bench.collections --documents 1000000 --least 25000

Two documents in a hundred are broken, in every way that has a reason of its own. They are imported
and built, then imported again unchanged, and then with 36,000 changes. The exit code is 1 if a
document is lost, if the changes do not arrive, or if the first of these rates, from the file to the
fact in `dwh` that has the columns of `stg`, is below `--least`. The seconds are those of
`dwh.run_log`. On a machine with other work, the CPU seconds say more.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from bench.events import build_models
from bench.laboratory import Laboratory, laboratory
from bench.machine import machine
from bench.project_copy import ProjectCopy
from bench.results import FOLDER, save
from common.rows import one_row
from common.settings import LOCAL
from warehouse.connection import connect

DOCUMENTS = "mrr_fact_ewallet_transaction_documents"
FACT = "dwh_fact_ewallet_document_transactions"
REJECTED = "stg_rejected_ewallet_transaction_documents"
BUILT = f"+{FACT} {REJECTED}"
BROKEN, CHANGED = 0.02, 0.036
SECONDS = (
    "select coalesce(sum(execution_seconds) filter (where process = 'collections'), 0)::float,"
    f" coalesce(sum(execution_seconds) filter (where step = '{FACT}'), 0)::float"
    " from dwh.run_log where log_id > %s"
)
ROWS = (
    f"select (select count(*) from mrr.{DOCUMENTS}), (select count(*) from dwh.{FACT}),"
    f" (select count(*) from stg.{REJECTED}),"
    f" (select count(*) from dwh.{FACT} where transaction_status = 'FAILED')"
)


@dataclass(frozen=True)
class Import:
    """An import and the build after it, and what they led to.

    `cpu` are the CPU seconds of the import, with Python's start, and of PostgreSQL in both.
    """

    name: str
    importing: float
    building: float
    cpu: float
    mirrored: int
    valid: int
    rejected: int
    failed: int

    def rate(self, documents: int) -> float:
        """Documents from the file to the fact in a second."""
        return documents / (self.importing + self.building)


def make_documents(chance: Random, count: int) -> Iterator[bytes]:
    """Documents of transactions, each a line, canonical and relaxed; some are broken."""
    for number in range(count):
        line = json.dumps(_document(chance, number), separators=(",", ":")).encode()
        if chance.random() < BROKEN:
            line = _broken(chance, line)
        yield line


def _document(chance: Random, number: int) -> dict[str, object]:
    second = 1_767_225_600_000 + chance.randrange(300 * 86_400_000)
    amount = f"{chance.randrange(20_000_000) / 100:.2f}"
    user, is_canonical = chance.randrange(1, 10_000), number % 2 == 0
    date: object = {"$numberLong": str(second)}
    return {
        "_id": {"$oid": f"{number:024x}"},
        "transaction_id": f"TX{number:010X}",
        "user_id": {"$numberLong": str(user)} if is_canonical else user,
        "merchant": {"id": chance.randrange(1, 500), "note": "xxxx"},
        "amount": {"$numberDecimal": amount},
        "status": chance.choice(("SUCCESS", "PENDING")),
        "transaction_time": {"$date": date},
        "updated_at": {"$date": date},
        "entries": [{"account": "user", "amount": {"$numberDecimal": f"-{amount}"}}],
    }


def _broken(chance: Random, line: bytes) -> bytes:
    """The document in one of the ways in which it is set aside, with or without its key."""
    return chance.choice(
        (
            line[: chance.randrange(1, len(line))],
            line.replace(b'"_id"', b'"id"'),
            line.replace(b'"xxx', b'"\\u0000'),
            line.replace(b'"status":"', b'"status":"NO '),
            line.replace(b'"$numberDecimal":"', b'"$numberDecimal":"x'),
            b"[" + line + b"]",
            line.replace(b'"xxx', b'"\xff'),
        )
    )


def changed(chance: Random, lines: Iterable[bytes], share: float) -> Iterator[bytes]:
    """Some of the valid documents with another status; the others as they are."""
    for line in lines:
        is_changed = chance.random() < share
        yield (
            line.replace(b'"SUCCESS"', b'"FAILED"').replace(b'"PENDING"', b'"FAILED"')
            if is_changed
            else line
        )


def measure(lab: Laboratory, copied: ProjectCopy, name: str, path: Path) -> Import:
    """Import a file, and build what is new."""
    with closing(connect(lab.warehouse)) as connection, connection.cursor() as cursor:
        cursor.execute("select coalesce(max(log_id), 0) from dwh.run_log")
        (last,) = one_row(cursor)
    brought = copied.run("collections", str(path), "--quiet").cost
    built = build_models(copied, BUILT).cost
    cpu = brought.cpu + brought.server_cpu["PostgreSQL"] + built.server_cpu["PostgreSQL"]
    with closing(connect(lab.warehouse)) as connection, connection.cursor() as cursor:
        cursor.execute(SECONDS, (last,))
        importing, building = one_row(cursor)
        cursor.execute(ROWS)
        return Import(name, importing, building, cpu, *one_row(cursor))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=1_000_000, help="how many documents")
    parser.add_argument("--least", type=float, default=0.0, help="documents a second that must be")
    options = parser.parse_args()
    print(machine())
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = list(make_documents(Random(20260101), options.documents))
    first, second = FOLDER / "first.jsonl", FOLDER / "second.jsonl"
    first.write_bytes(b"\n".join(lines) + b"\n")
    second.write_bytes(b"\n".join(changed(Random(1), lines, CHANGED)) + b"\n")
    print(f"{options.documents:,} documents, {first.stat().st_size / 1e6:.0f} MB")
    with laboratory(LOCAL / "bench-collections") as lab:
        copied = ProjectCopy(lab, LOCAL / "bench-project", "ewallet")
        empty = FOLDER / "empty.jsonl"
        empty.write_bytes(b"")
        copied.run("collections", str(empty), "--quiet")
        build_models(copied, BUILT)
        imports = []
        for name, path in (("first", first), ("unchanged", first), ("changed", second)):
            imports.append(measure(lab, copied, name, path))
            print(_line(imports[-1], options.documents), flush=True)
    for path in (first, second, empty):
        path.unlink()
    save(
        "collections", {"documents": options.documents, "imports": [asdict(one) for one in imports]}
    )
    sys.exit(
        bool(_losses(imports, options.documents))
        or imports[0].rate(options.documents) < options.least
    )


def _losses(imports: list[Import], documents: int) -> list[str]:
    """The imports that lost a document, or did not bring one."""
    lost = [
        one.name
        for one in imports
        if one.mirrored != documents or one.valid + one.rejected != documents
    ]
    if not imports[0].failed == imports[1].failed == 0 < imports[2].failed:
        lost.append("changes")
    for name in lost:
        print(f"not as it should be: {name}")
    return lost


def _line(one: Import, documents: int) -> str:
    return (
        f"{one.name}: import {one.importing:.1f} s, build {one.building:.1f} s,"
        f" {one.rate(documents):,.0f} documents/s; CPU {one.cpu:.1f} s,"
        f" {documents / one.cpu:,.0f} documents/s; {one.valid:,} valid, {one.rejected:,} rejected"
    )


if __name__ == "__main__":
    main()
