"""A first load of `media` by Tidemark, in a process of its own, so that it is measured alone.

The settings name both servers: OPERATIONAL_HOST=… WAREHOUSE_HOST=… python bench/tidemark_load.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.laboratory import extract_media
from bench.tools import LOADED
from common.settings import read_settings
from extract import extraction


def main() -> None:
    reconcile = extraction.reconcile

    def told(*arguments: object) -> object:
        print(LOADED, flush=True)
        return reconcile(*arguments)

    extraction.reconcile = told
    settings = read_settings()
    extract_media(settings.operational, settings.warehouse, settings.duty)


if __name__ == "__main__":
    main()
