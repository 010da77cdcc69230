"""Errors of streams."""

from common.errors import ExitCode, TidemarkError


class StreamError(TidemarkError):
    """A stream cannot be read or written."""


class AnotherConsumer(TidemarkError):
    """Another consumer writes what this one would write."""

    exit_code = ExitCode.LOCKED
