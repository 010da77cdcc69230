"""What a mutant is: one way to break the core of the mirror, as an exact change of its text."""

from dataclasses import dataclass
from pathlib import Path

from tests.mutants.code import Code


@dataclass(frozen=True)
class Mutant:
    """One way to break a definition: `old` becomes `new`, and `breaks` says what that does.

    `definition` is the name of a function, a class or a constant of a module, `Class.method` for
    a method; it is looked up in all modules, so that it may move from one to another; `folder/name`
    is a macro.
    `also` are further changes (definition, old, new), where one alone would only be noise.
    `equivalent` is why no test can tell it from the original, for those of which that is true.
    """

    name: str
    definition: str
    old: str
    new: str
    breaks: str
    also: tuple[tuple[str, str, str], ...] = ()
    equivalent: str = ""

    @property
    def group(self) -> str:
        """The part of the mirror that it breaks: the first word of its name."""
        return self.name.partition("-")[0]

    def apply(self, code: Code) -> dict[Path, str]:
        """The broken text of each module that it changes. Raises NotInStep."""
        changes: dict[Path, list[tuple[int, str, str]]] = {}
        for definition, old, new in ((self.definition, self.old, self.new), *self.also):
            found = list(code.find(definition, old))
            if len(found) != 1:
                raise NotInStep(self, definition, old, len(found))
            path, position = found[0]
            changes.setdefault(path, []).append((position, old, new))
        return {path: _changed(code.texts[path], some) for path, some in changes.items()}


def _changed(text: str, changes: list[tuple[int, str, str]]) -> str:
    # from the end, where a change moves no other
    for position, old, new in sorted(changes, reverse=True):
        text = text[:position] + new + text[position + len(old) :]
    return text


class NotInStep(Exception):
    """The list does not fit the code any more."""

    def __init__(self, mutant: Mutant, definition: str, old: str, found: int) -> None:
        self.mutant, self.definition, self.old, self.found = mutant, definition, old, found
        super().__init__(f"{mutant.name}: found {found} times in {definition}, not once: {old!r}")
