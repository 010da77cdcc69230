"""What a mutant is: one way to break the core of the mirror, as an exact change of its text."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    """One way to break a module: `old` becomes `new`, and `breaks` says what that does.

    `also` are further changes in the same file, where one alone would only be noise.
    `equivalent` is why no test can tell it from the original, for those of which that is true.
    """

    name: str
    file: str
    old: str
    new: str
    breaks: str
    also: tuple[tuple[str, str], ...] = ()
    equivalent: str = ""

    def apply(self, folder: Path) -> str:
        """The broken text of the module below `folder`. Raises NotInStep."""
        text = (folder / self.file).read_text(encoding="utf-8")
        for old, new in ((self.old, self.new), *self.also):
            found = text.count(old)
            if found != 1:
                raise NotInStep(self, old, found)
            text = text.replace(old, new)
        return text


class NotInStep(Exception):
    """The list does not fit the code any more."""

    def __init__(self, mutant: Mutant, old: str, found: int) -> None:
        self.mutant, self.old, self.found = mutant, old, found
        super().__init__(f"{mutant.name}: found {found} times in {mutant.file}, not once: {old!r}")
