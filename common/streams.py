"""Standard streams that outlast their readers, and escape what their encoding cannot show."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper


class LastingStream(TextIOWrapper):
    """A stream that discards its output once its reader is gone, so that the command completes."""

    def write(self, text: str) -> int:
        with self._lasting():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with self._lasting():
            super().flush()

    @contextmanager
    def _lasting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # otherwise Python would try to write the rest again when the process ends
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if not isinstance(error, BrokenPipeError):
                name = {1: "standard output", 2: "standard error"}[self.fileno()]
                raise OSError(error.errno, error.strerror, name) from None


def valid_text(text: str) -> str:
    """The text with what is no character of Unicode as escapes, as the streams write it.

    Python has such for bytes of arguments and of names of files that are not UTF-8.
    """
    return text.encode(errors="backslashreplace").decode()


def prepare_streams() -> None:
    """Give this process three working standard streams, whatever it was started with.

    The number of a closed descriptor would go to the next file or socket that is opened, and every
    program started from here would write into that.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        encoding = getattr(getattr(sys, name), "encoding", None) or "utf-8"
        stream = LastingStream(
            os.fdopen(descriptor, "wb", closefd=False),
            encoding=encoding,
            errors="backslashreplace",
            line_buffering=True,
        )
        setattr(sys, name, stream)
