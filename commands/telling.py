"""What went wrong, on standard error: as text, or as records if the log is written as JSON."""

import sys

from common.errors import TidemarkError, problem_and_hint
from common.log import get_logger, is_json, show_log

log = get_logger(__name__)


def tell(failure: TidemarkError | str, is_warning: bool = False) -> None:
    """Write an error or a warning; a text has the form of all messages: a problem, and a hint."""
    if not is_json():
        print(failure, file=sys.stderr)
        return
    show_log()
    problem, hint = problem_and_hint(str(failure))
    facts = {"hint": hint}
    if isinstance(failure, TidemarkError):
        facts = {"subject": failure.subject, "hint": failure.hint}
    (log.warning if is_warning else log.error)("%s", problem, extra={"facts": facts})
