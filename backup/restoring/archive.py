"""Reads the dump of a layer by PostgreSQL's programs: a folder or an encrypted file."""

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, cast

from backup.repository.encryption import Key
from backup.server.entries import DATA, entries_of
from backup.server.programs import Programs
from backup.server.pump import Pump


@dataclass(frozen=True)
class Archive:
    """The dump of a layer in a backup; encrypted if there is a key."""

    path: Path
    programs: Programs
    key: Key | None

    def statements(self, *options: str) -> bytes:
        """A script without data, for these options of pg_restore."""
        with self.script(*options) as script:
            return script.read()

    @contextmanager
    def script(self, *options: str) -> Iterator[IO[bytes]]:
        """The script for these options of pg_restore, as it writes it.

        Raises ProgramFailed and WrongKey.
        """
        words = [*options, "--no-owner", "--no-tablespaces", "--file=-"]
        with self._reading(words) as script:
            yield script

    @cached_property
    def entries(self) -> Mapping[str, Sequence[int]]:
        """The numbers of the entries of each kind, in their order."""
        with self._reading(["--list"]) as listing:
            return entries_of(listing.read())

    def parts(self, count: int) -> list["Part"]:
        """The data of the dump, in so many parts of about the same size.

        An encrypted dump is one part, since it can only be read from its beginning.
        """
        numbers = self.entries.get(DATA, ())
        if self.key is not None:
            return [Part(self, numbers, self.path.stat().st_size)] if numbers else []
        sizes = {number: self._size_of(number) for number in numbers}
        parts: list[list[int]] = [[] for _ in range(min(count, len(sizes)))]
        totals = [0] * len(parts)
        for number in sorted(sizes, key=sizes.__getitem__, reverse=True):
            smallest = totals.index(min(totals))
            parts[smallest].append(number)
            totals[smallest] += sizes[number]
        return [Part(self, *part) for part in zip(parts, totals, strict=True)]

    def _size_of(self, number: int) -> int:
        return sum(file.stat().st_size for file in self.path.glob(f"{number}.dat*"))

    @contextmanager
    def of_entries(self, numbers: Iterable[int]) -> Iterator[IO[bytes]]:
        """The script of these entries."""
        with NamedTemporaryFile("w", prefix="tidemark-", suffix=".list") as chosen:
            chosen.writelines(f"{number}\n" for number in numbers)
            chosen.flush()
            with self.script(f"--use-list={chosen.name}") as script:
                yield script

    @contextmanager
    def _reading(self, words: list[str]) -> Iterator[IO[bytes]]:
        if self.key is None:
            with self.programs.reading("pg_restore", *words, str(self.path)) as output:
                yield output
            return
        with Pump() as pump:
            with self._fed(pump, words) as output:
                yield output
            pump.wait()

    @contextmanager
    def _fed(self, pump: Pump, words: list[str]) -> Iterator[IO[bytes]]:
        pipe = subprocess.PIPE
        with self.programs.started("pg_restore", *words, stdin=pipe, stdout=pipe) as process:
            # a file of its own, since the process closes its one when it ends
            target = os.fdopen(os.dup(cast(IO[bytes], process.stdin).fileno()), "wb")
            cast(IO[bytes], process.stdin).close()
            pump.start(lambda: self._decrypt(target))
            yield cast(IO[bytes], process.stdout)

    def _decrypt(self, target: IO[bytes]) -> None:
        # pg_restore reads no more than it needs
        with suppress(BrokenPipeError), target:
            cast(Key, self.key).decrypt(self.path, target)


@dataclass(frozen=True)
class Part:
    """The data of some tables of a dump; `size` is about that of their files."""

    archive: Archive
    numbers: Sequence[int]
    size: int

    def script(self) -> AbstractContextManager[IO[bytes]]:
        """The script that copies their rows."""
        return self.archive.of_entries(self.numbers)
