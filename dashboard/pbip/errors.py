"""What keeps the Power BI project from being generated."""

from common.errors import TidemarkError


class PowerBiError(TidemarkError):
    """The Power BI project cannot be generated from what is declared."""
