"""A first load of a table by Tidemark, in a process of its own, so that only it is measured.

OPERATIONAL_HOST=… WAREHOUSE_HOST=… python -m bench.tidemark_load TABLE
"""

import sys
from typing import Any
from unittest.mock import patch

from bench.laboratory import extract, mirrored
from bench.shapes import SHAPES
from bench.tools import LOADED
from common.errors import UsageError
from common.settings import read_settings
from extract import applying
from extract.compare.reconcile import reconcile


def main() -> None:
    """Load, and print a line before the loaded table is compared."""
    settings = read_settings()
    if settings.operational is None or settings.warehouse is None:
        raise UsageError("bench", "one of the servers is not set", "Set both, as above.")

    def announced(*arguments: Any) -> Any:
        print(LOADED, flush=True)
        return reconcile(*arguments)

    with patch.object(applying, "reconcile", announced):
        table = mirrored(SHAPES[sys.argv[1]])
        extract(settings.operational, settings.warehouse, settings.duty, table)


if __name__ == "__main__":
    main()
