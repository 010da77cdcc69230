"""A first load of `media` by Tidemark, in a process of its own, so that it is measured alone.

The settings name both servers: OPERATIONAL_HOST=… WAREHOUSE_HOST=… python -m bench.tidemark_load
"""

from typing import Any

from bench.laboratory import extract_media
from bench.tools import LOADED
from common.errors import UsageError
from common.settings import read_settings
from extract import extraction


def main() -> None:
    module: Any = extraction
    reconcile = module.reconcile

    def told(*arguments: Any) -> Any:
        print(LOADED, flush=True)
        return reconcile(*arguments)

    module.reconcile = told
    settings = read_settings()
    if settings.operational is None or settings.warehouse is None:
        raise UsageError("bench", "one of the servers is not set", "Set both, as above.")
    extract_media(settings.operational, settings.warehouse, settings.duty)


if __name__ == "__main__":
    main()
