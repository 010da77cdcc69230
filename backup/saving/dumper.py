"""Writes the dump of a layer by PostgreSQL's programs: a folder or an encrypted file."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from backup.layers import LAYERS
from backup.repository.backup import archive_of
from backup.repository.encryption import encrypt
from backup.saving.division import Group, LayerSize, divided
from backup.server.entries import tables_in
from backup.server.programs import Programs
from backup.server.pump import Pump


@dataclass
class Dumped:
    """What a dump contains; known when it is complete."""

    tables: int = 0


@dataclass(frozen=True)
class Dumper:
    """Writes the dumps of layers into a folder.

    `options` are those of pg_dump; `jobs` is the number of tables, or of layers, that are dumped at
    once. The dumps are encrypted if there are recipients, which are public keys. pg_dump inherits
    `lock`, a descriptor.
    """

    folder: Path
    programs: Programs
    options: tuple[str, ...]
    jobs: int
    recipients: tuple[str, ...]
    lock: int

    def groups(self, sizes: Mapping[str, LayerSize]) -> Sequence[Group]:
        """The layers, in groups that are dumped at once, and the sessions of each.

        pg_dump itself can dump several tables at once only into a folder, where it would leave them
        unencrypted until somebody encrypts them. So an encrypted layer has one session.
        """
        if not self.recipients:
            return divided(sizes, self.jobs)
        if self.jobs > 1:
            return [dict.fromkeys(LAYERS, 1)]
        return [{layer: 1} for layer in LAYERS]

    @contextmanager
    def dumping(self, layer: str, sessions: int) -> Iterator[Dumped]:
        """Dump a layer by so many sessions, in parallel to the block.

        Raises ProgramFailed and OSError.
        """
        path = self.folder / archive_of(layer, bool(self.recipients))
        words = [*self.options, *(f"--schema={schema}" for schema in LAYERS[layer])]
        dumped = Dumped()
        if self.recipients:
            with self._encrypting(path, words) as listing:
                yield dumped
            dumped.tables = tables_in(b"".join(listing))
            return
        words += ["--format=directory", f"--jobs={sessions}", f"--file={path}"]
        with self.programs.started("pg_dump", *words, pass_fds=(self.lock,)):
            yield dumped
        dumped.tables = tables_in(self.programs.output("pg_restore", "--list", str(path)))

    @contextmanager
    def _encrypting(self, path: Path, words: list[str]) -> Iterator[list[bytes]]:
        """Dump into an encrypted file in parallel to the block; yields the list of the dump.

        The list names tables, so that it is in memory alone; it is complete after the block.
        """
        pipe, listing = subprocess.PIPE, list[bytes]()
        with Pump() as pump, Pump() as reader, ExitStack() as stack:
            lister = stack.enter_context(
                self.programs.started("pg_restore", "--list", stdin=pipe, stdout=pipe)
            )
            # a file of its own, since the process closes its one when it ends
            listed = os.dup(cast(IO[bytes], lister.stdout).fileno())
            reader.start(lambda: listing.append(_all_of(listed)))
            dump = stack.enter_context(
                self.programs.started(
                    *("pg_dump", "--format=custom", *words), stdout=pipe, pass_fds=(self.lock,)
                )
            )
            source = ListedOutput(cast(IO[bytes], dump.stdout), cast(IO[bytes], lister.stdin))
            pump.start(lambda: encrypt(source, path, self.recipients))
            yield listing
            pump.wait()
            reader.wait()


def _all_of(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


class ListedOutput:
    """The output of pg_dump, of which pg_restore gets a copy until it has read the list in it."""

    def __init__(self, source: IO[bytes], lister: IO[bytes]) -> None:
        self._source = source
        self._lister: IO[bytes] | None = lister

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        if self._lister:
            try:
                self._lister.write(data)
                if data:
                    return data
                self._lister.close()
            except BrokenPipeError:
                with suppress(BrokenPipeError):
                    self._lister.close()
            self._lister = None
        return data
