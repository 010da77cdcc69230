"""docs/mutants.md: written from the verdicts, and read for the test that kills each mutant."""

import re

from common.settings import PROJECT
from tests.mutants.mutants import Mutant
from tests.mutants.workshop import Verdict

PAGE = PROJECT / "docs" / "mutants.md"
LINE = re.compile(r"^\| `([\w-]+)` \| .* \| (?:killed by `([^`]+)`|\*\*(.+)\*\*) \|$", re.MULTILINE)
NOT_RUN = "not run yet"

INTRODUCTION = """\
# Mutants

A test suite is worth what it notices. So the core of the mirror is broken by hand, in each way
that [the tests must notice](../tests/mutants), one at a time, and the fast suite (`tests/extract`,
and before it `tests/mongodb` for documents) runs until a test fails. `make mutants` does that in
scratch copies with servers of their own, and writes this page, so it tells of the last time; the
test that killed a mutant goes first the next.

"""
EQUIVALENT = """
## Equivalent mutants

No test can tell these from the original; they stay in the list so that nobody looks for one again.

"""


def known_killers() -> dict[str, str]:
    """The test that killed each mutant when it was run last."""
    return {name: killer for name, killer, _ in LINE.findall(_page()) if killer}


def known_verdict(mutant: Mutant) -> Verdict:
    """How a mutant came out when it was run last."""
    if mutant.equivalent:
        return Verdict(mutant, "equivalent")
    for name, killer, outcome in LINE.findall(_page()):
        if name == mutant.name:
            return Verdict(mutant, outcome or "killed", killer)
    return Verdict(mutant, NOT_RUN)


def _page() -> str:
    return PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""


def write_page(verdicts: list[Verdict]) -> None:
    """Write the page, with every mutant of the list."""
    judged = [verdict for verdict in verdicts if not verdict.mutant.equivalent]
    killed = [verdict for verdict in judged if verdict.outcome == "killed"]
    text = INTRODUCTION
    text += (
        f"{len(killed)} of {len(judged)} are killed; {len(verdicts) - len(judged)} more are"
        " equivalent to the original.\n"
    )
    for group in dict.fromkeys(verdict.mutant.group for verdict in judged):
        text += f"\n## {group}\n\n| mutant | of | what it breaks | result |\n"
        text += "| --- | --- | --- | --- |\n"
        text += "".join(map(_line, (v for v in judged if v.mutant.group == group)))
    equivalents = [verdict.mutant for verdict in verdicts if verdict.mutant.equivalent]
    if equivalents:
        text += EQUIVALENT
    for mutant in equivalents:
        text += f"- `{mutant.name}` of `{mutant.definition}`, {_cell(mutant)}: "
        text += f"{mutant.equivalent}.\n"
    PAGE.write_text(text, encoding="utf-8")


def _line(verdict: Verdict) -> str:
    mutant = verdict.mutant
    return f"| `{mutant.name}` | `{mutant.definition}` | {_cell(mutant)} | {_result(verdict)} |\n"


def _cell(mutant: Mutant) -> str:
    return mutant.breaks.replace("|", "\\|")


def _result(verdict: Verdict) -> str:
    if verdict.outcome == "killed":
        return f"killed by `{verdict.killer}`"
    return f"**{verdict.outcome}**"
