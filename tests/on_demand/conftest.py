"""The mirror of the other tests of the extract, for these too."""

from tests.extract.conftest import mirror, rows_of

__all__ = ["mirror", "rows_of"]
