"""The whole list, and whether it and its page still fit the code."""

from collections.abc import Iterator

from common.settings import PROJECT
from tests.mutants import (
    of_the_comparison,
    of_the_extraction,
    of_the_mirror,
    of_the_source,
    of_the_warehouse,
)
from tests.mutants.mutants import NotInStep
from tests.mutants.page import known_killers, known_names

LISTS = (of_the_source, of_the_mirror, of_the_extraction, of_the_comparison, of_the_warehouse)
MUTANTS = [mutant for module in LISTS for mutant in module.MUTANTS]


def problems_of_the_list() -> Iterator[str]:
    """Mutants that stand twice in the list, or are no change of the code as it is now."""
    names = [mutant.name for mutant in MUTANTS]
    yield from (f"{name}: twice in the list" for name in set(names) if names.count(name) > 1)
    for mutant in MUTANTS:
        try:
            compile(mutant.apply(PROJECT), mutant.file, "exec")
        except (NotInStep, SyntaxError) as problem:
            yield f"{mutant.name}: {problem}"


def problems_of_the_page() -> Iterator[str]:
    """Mutants that the page leaves out or makes up, and tests that it names and nobody has."""
    listed, told = {mutant.name for mutant in MUTANTS}, set(known_names())
    yield from (f"{name}: not on the page; run it" for name in sorted(listed - told))
    yield from (f"{name}: on the page, not in the list" for name in sorted(told - listed))
    for name, killer in known_killers().items():
        file, _, test = killer.partition("::")
        path = PROJECT / file
        function = f"def {test.partition('[')[0]}("
        if not path.exists() or function not in path.read_text(encoding="utf-8"):
            yield f"{name}: the page names {killer}, which is no test"
