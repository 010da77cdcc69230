"""Backups of the warehouse: one dump per layer under one snapshot, and the way back."""

from backup.dumping import Backup, dump
from backup.layers import LAYERS
from backup.restoring import Restored, restore
from backup.shelf import complete_backups

__all__ = ["LAYERS", "Backup", "Restored", "complete_backups", "dump", "restore"]
