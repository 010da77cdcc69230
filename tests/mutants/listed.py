"""The whole list, and whether it still fits the code."""

from collections.abc import Iterator

from common.settings import PROJECT
from tests.mutants import (
    of_the_comparison,
    of_the_digests,
    of_the_documents,
    of_the_erasure,
    of_the_extraction,
    of_the_keys,
    of_the_landing,
    of_the_mirror,
    of_the_selection,
    of_the_session,
    of_the_source,
    of_the_warehouse,
)
from tests.mutants.code import Code
from tests.mutants.mutants import NotInStep

LISTS = (
    of_the_session,
    of_the_source,
    of_the_landing,
    of_the_mirror,
    of_the_extraction,
    of_the_digests,
    of_the_comparison,
    of_the_keys,
    of_the_warehouse,
    of_the_selection,
    of_the_erasure,
    of_the_documents,
)
MUTANTS = [mutant for module in LISTS for mutant in module.MUTANTS]


def problems_of_the_list() -> Iterator[str]:
    """Mutants that stand twice in the list, or are no change of the code as it is now."""
    names = [mutant.name for mutant in MUTANTS]
    yield from (f"{name}: twice in the list" for name in set(names) if names.count(name) > 1)
    code = Code(PROJECT)
    for mutant in MUTANTS:
        try:
            for path, text in mutant.apply(code).items():
                if path.suffix == ".py":
                    compile(text, path, "exec")
        except (NotInStep, SyntaxError) as problem:
            yield f"{mutant.name}: {problem}"
