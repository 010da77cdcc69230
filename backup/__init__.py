"""Backups of the warehouse: one dump per layer under one snapshot, their restore and its proof."""

from backup.copying import Copied, copy
from backup.dumping import Backup, dump
from backup.layers import LAYERS
from backup.listing import Listed, list_backups, newest_verified
from backup.planning import Plan, plan
from backup.repository import complete_backups
from backup.restoring import Restored, restore
from backup.verification import Verification
from backup.verifying import check_key, verify

__all__ = [
    "LAYERS",
    "Backup",
    "Copied",
    "Listed",
    "Plan",
    "Restored",
    "Verification",
    "check_key",
    "complete_backups",
    "copy",
    "dump",
    "list_backups",
    "newest_verified",
    "plan",
    "restore",
    "verify",
]
