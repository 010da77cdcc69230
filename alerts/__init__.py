"""Alerts: what goes wrong is told once when it begins, and once when it is over."""

from alerts.channels import AlertError, Message, open_channels
from alerts.checking import Checked, Look, check
from alerts.findings import Scope
from alerts.settings import LATE, AlertSettings, read_alert_settings

__all__ = [
    "LATE",
    "AlertError",
    "AlertSettings",
    "Checked",
    "Look",
    "Message",
    "Scope",
    "check",
    "open_channels",
    "read_alert_settings",
]
