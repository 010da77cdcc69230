"""The document of `doctor`."""

from dataclasses import dataclass
from typing import Annotated

from commands.doctor import Finding


@dataclass(frozen=True)
class DoctorFinding:
    """The result of one check."""

    subject: Annotated[str, "what was checked"]
    seen: Annotated[str, "what was seen"]
    is_good: Annotated[bool, "false if something is to be done"]
    remedy: Annotated[str | None, "what is to be done"]


@dataclass(frozen=True)
class DoctorDocument:
    """What was checked, good or not; `--quiet` leaves out what is good."""

    findings: Annotated[list[DoctorFinding], "in the order of the checks"]


def document(findings: list[Finding]) -> DoctorDocument:
    """These findings."""
    return DoctorDocument(
        [DoctorFinding(one.subject, one.seen, one.is_good, one.remedy) for one in findings]
    )
