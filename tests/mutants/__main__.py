"""`python -m tests.mutants [NAME …]`: test every mutant, or those named, and write the page.

The page keeps what it said of those that were not named. With `--check` it only looks whether the
list still fits the code. Exit 1 where it does not, or where a mutant survived that is not
equivalent.
"""

import argparse
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue

from tests.mutants.listed import MUTANTS, problems_of_the_list
from tests.mutants.mutants import Mutant
from tests.mutants.page import known_killers, known_verdict, write_page
from tests.mutants.workshop import BaselineFailed, Verdict, Workshop


def main() -> int:
    """Test the mutants that the arguments name; the exit code."""
    arguments = _arguments()
    chosen = [m for m in MUTANTS if not arguments.names or m.name in arguments.names]
    known = {mutant.name for mutant in MUTANTS}
    problems = [f"{name}: no such mutant" for name in arguments.names if name not in known]
    problems += problems_of_the_list()
    for problem in problems:
        print(problem)
    if problems or arguments.check:
        return 1 if problems else 0
    with _workshops(arguments.jobs) as workshops:
        try:
            seconds = workshops[0].check_baseline()
        except BaselineFailed as failure:
            print(failure)
            print("the fast suite fails without a mutant")
            return 1
        verdicts = _test(workshops, [m for m in chosen if not m.equivalent], seconds)
    told = {verdict.mutant.name: verdict for verdict in verdicts}
    write_page([told.get(m.name) or known_verdict(m) for m in MUTANTS])
    bad = [verdict for verdict in verdicts if verdict.outcome != "killed"]
    print(f"{len(verdicts) - len(bad)} of {len(verdicts)} killed")
    return 1 if bad else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a mutant; all without one")
    parser.add_argument("--check", action="store_true", help="only check the list")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    return parser.parse_args()


@contextmanager
def _workshops(count: int) -> Iterator[list[Workshop]]:
    workshops = [Workshop(number) for number in range(1, count + 1)]
    try:
        for workshop in workshops:
            workshop.furnish()
        yield workshops
    finally:
        for workshop in workshops:
            workshop.close()


def _test(workshops: list[Workshop], mutants: list[Mutant], seconds: float) -> list[Verdict]:
    """Test the mutants, one at a time in each workshop; the verdicts in the mutants' order.

    `seconds` is what the fast suite takes without any.
    """
    waiting: Queue[Mutant] = Queue()
    for mutant in mutants:
        waiting.put(mutant)
    verdicts: dict[str, Verdict] = {}
    killers = known_killers()

    def work(workshop: Workshop) -> None:
        while True:
            try:
                mutant = waiting.get_nowait()
            except Empty:
                return
            verdict = workshop.test(mutant, killers.get(mutant.name, ""), seconds)
            verdicts[mutant.name] = verdict
            told = f"{verdict.outcome:<9} {mutant.name:<34} {verdict.seconds:5.1f} s"
            print(f"{len(verdicts):>3}/{len(mutants)} {told}  {verdict.killer}", flush=True)

    threads = [
        threading.Thread(target=work, args=(workshop,), daemon=True) for workshop in workshops
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [verdicts[mutant.name] for mutant in mutants]


if __name__ == "__main__":
    sys.exit(main())
