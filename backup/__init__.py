"""Backups of the warehouse: one dump per layer under one snapshot, and their restore."""

from backup.dumping import Backup, dump
from backup.layers import LAYERS
from backup.repository import complete_backups
from backup.restoring import Restored, restore

__all__ = ["LAYERS", "Backup", "Restored", "complete_backups", "dump", "restore"]
