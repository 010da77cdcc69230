"""`backup` and `restore`: under the run's lock, and logged."""

from pathlib import Path

import backup
from commands.servers import Connected
from common.log import start_logging
from common.settings import Settings
from warehouse.connection import connect, run_lock
from warehouse.run_log import RunLog, new_run_id
from warehouse.upgrade import upgrade
