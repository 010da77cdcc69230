"""`verify`: compares every row of a table on demand, and repairs it if asked."""

from dataclasses import dataclass

from common.errors import DeletesRefused, TidemarkError
from extract.compare.forgotten import forget_again, with_excluded
from extract.compare.guard import record_accepted, record_candidates
from extract.compare.reconcile import compare_due, reconcile, verify
from extract.declarations import MirroredTable
from extract.errors import NotMirrored, PersonReturned
from extract.extraction import Extraction
from extract.failures import DRIVER_ERRORS, as_table_error
from extract.mirror.verification import Verification, write_verification
from extract.pair import TablePair


@dataclass(frozen=True)
class VerifiedTable:
    """The result of verifying a table."""

    name: str
    verification: Verification | None = None
    error: TidemarkError | None = None


def verify_table(extraction: Extraction, declaration: MirroredTable, repair: bool) -> VerifiedTable:
    """Compare every row of a table, and repair what differs if `repair` is true."""
    name = declaration.name
    try:
        pair = extraction.pair(extraction.source.describe(declaration))
        try:
            verification = _compare(extraction, pair, repair)
        except PersonReturned as returned:
            forget_again(extraction.connection, returned)
            pair = extraction.pair(pair.source.description)
            verification = _compare(extraction, pair, repair)
    except DeletesRefused as refusal:
        record_candidates(pair.mirror, refusal.row_keys)
        return VerifiedTable(name, error=refusal)
    except DRIVER_ERRORS as error:
        return VerifiedTable(name, error=as_table_error(name, error))
    return VerifiedTable(name, verification)


def _compare(extraction: Extraction, pair: TablePair, repair: bool) -> Verification:
    with extraction.committed():
        if not pair.mirror.shape.exists():
            raise NotMirrored(pair.name)
        if repair:
            verification = _repair(pair, extraction.accepted_deletes.get(pair.name))
        else:
            pair.mirror.shape.check_columns()
            verification = verify(pair)
        verification = with_excluded(pair, verification, releases=repair)
        write_verification(pair.mirror, verification)
        pair.source.check_unchanged()
    if repair:
        verification = compare_due(pair, verification, extraction.check_lock, everything=True)
        pair.source.check_unchanged()
    return verification


def _repair(pair: TablePair, accepted_deletes: int | None) -> Verification:
    # only a run creates the views of stg again
    prepared = pair.mirror.prepare(may_drop_views=False)
    pair.source.check_dropped(pair.mirror.shape.vanished_names())
    verification = reconcile(pair, prepared, accepted_deletes=accepted_deletes)
    if accepted_deletes is not None and accepted_deletes == verification.applied.deleted:
        record_accepted(pair.mirror, accepted_deletes)
    record_candidates(pair.mirror, [])
    return verification
