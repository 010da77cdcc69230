"""The dump of a layer as PostgreSQL's programs write and read it: a folder or an encrypted file."""

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from threading import Thread
from typing import IO, cast

from backup.encryption import Key, encrypt
from backup.layers import LAYERS
from backup.programs import Programs
from backup.reading import archive_of

DATA, SEQUENCES, GRANTS = "TABLE DATA", "SEQUENCE SET", "ACL"
_ENTRY = re.compile(rb"^(\d+); \d+ \d+ (TABLE DATA|SEQUENCE SET|(?:DEFAULT )?ACL) ", re.MULTILINE)
"""A line of `pg_restore --list`: the number of an entry, two of its object's, and its kind."""


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

    @property
    def groups(self) -> Sequence[Sequence[str]]:
        """The layers, in groups that are dumped at once.

        pg_dump itself can dump several tables at once only into a folder, where it would leave them
        unencrypted until somebody encrypts them.
        """
        if self.recipients and self.jobs > 1:
            return [list(LAYERS)]
        return [[layer] for layer in LAYERS]

    @contextmanager
    def dumping(self, layer: str) -> Iterator[Dumped]:
        """Dump a layer in parallel to the block. Raises ProgramFailed and OSError."""
        path = self.folder / archive_of(layer, bool(self.recipients))
        words = [*self.options, *(f"--schema={schema}" for schema in LAYERS[layer])]
        dumped = Dumped()
        if self.recipients:
            with TemporaryFile() as listing:
                with self._encrypting(path, words, listing):
                    yield dumped
                listing.seek(0)
                dumped.tables = _tables_of(listing.read())
            return
        words += ["--format=directory", f"--jobs={self.jobs}", f"--file={path}"]
        with self.programs.started("pg_dump", *words, pass_fds=(self.lock,)):
            yield dumped
        dumped.tables = _tables_of(self.programs.output("pg_restore", "--list", str(path)))

    @contextmanager
    def _encrypting(self, path: Path, words: list[str], listing: IO[bytes]) -> Iterator[None]:
        pipe = subprocess.PIPE
        with Pump() as pump, ExitStack() as stack:
            lister = stack.enter_context(
                self.programs.started("pg_restore", "--list", stdin=pipe, stdout=listing)
            )
            dump = stack.enter_context(
                self.programs.started(
                    *("pg_dump", "--format=custom", *words), stdout=pipe, pass_fds=(self.lock,)
                )
            )
            source = ListedOutput(cast(IO[bytes], dump.stdout), cast(IO[bytes], lister.stdin))
            pump.start(lambda: encrypt(source, path, self.recipients))
            yield
            pump.wait()


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
            found = _ENTRY.findall(listing.read())
        kinds: dict[str, list[int]] = {}
        for number, kind in found:
            # default privileges are grants too
            name = kind.decode().removeprefix("DEFAULT ")
            kinds.setdefault(name, []).append(int(number))
        return kinds

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
    def _fed(self, pump: "Pump", words: list[str]) -> Iterator[IO[bytes]]:
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


class Pump:
    """A thread that moves data; at the end of the block it has ended.

    What it reads from, or writes to, must end within the block.
    """

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> "Pump":
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread:
            self._thread.join()

    def start(self, move: Callable[[], object]) -> None:
        def run() -> None:
            try:
                move()
            except BaseException as error:
                self._error = error

        self._thread = Thread(target=run, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until it has moved everything. Raises its error."""
        if self._thread:
            self._thread.join()
        if self._error:
            raise self._error


def _tables_of(listing: bytes) -> int:
    return sum(kind.decode() == DATA for _, kind in _ENTRY.findall(listing))
