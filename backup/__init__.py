"""Backups of the warehouse: one dump per layer under one snapshot, their restore and its proof."""

from backup.layers import LAYERS
from backup.repository.directory import complete_backups, unfinished
from backup.repository.overview import Listed, kept_until, list_backups, newest_verified
from backup.repository.verification import Verification
from backup.restoring.plan import Plan, plan
from backup.restoring.restore import Restored, restore
from backup.restoring.verify import check_key, verify
from backup.saving.copy import Copied, copy
from backup.saving.dump import Backup, dump
from backup.server.leftovers import Leftovers, clear_server, find_leftovers

__all__ = [
    "LAYERS",
    "Backup",
    "Copied",
    "Leftovers",
    "Listed",
    "Plan",
    "Restored",
    "Verification",
    "check_key",
    "clear_server",
    "complete_backups",
    "copy",
    "dump",
    "find_leftovers",
    "kept_until",
    "list_backups",
    "newest_verified",
    "plan",
    "restore",
    "unfinished",
    "verify",
]
