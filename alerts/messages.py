"""The messages: of each rule one for all incidents that have to be told by a channel at once."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from alerts.channels import Message
from alerts.incidents import Incident, Phase
from alerts.rules import TITLES
from common.durations import duration

SUBJECTS_IN_TITLE = 3
INCIDENTS_IN_BODY = 20


def messages_for(
    incidents: Sequence[Incident], channel: str, place: str
) -> Iterator[tuple[Phase, list[Incident], Message]]:
    """What a channel has yet to tell; `place` says which Tidemark tells it.

    What is over comes first, so that the last message about something that returned is right.
    """
    ended = [incident for incident in incidents if incident.ended_at]
    still_open = [incident for incident in incidents if not incident.ended_at]
    for phase, some in ((Phase.BEGIN, ended), (Phase.END, ended), (Phase.BEGIN, still_open)):
        untold = [incident for incident in some if incident.is_untold(phase, channel)]
        for rule in TITLES:
            of_rule = [incident for incident in untold if incident.finding.rule == rule]
            if of_rule:
                yield phase, of_rule, _message(phase, rule, of_rule, place)


def _message(phase: Phase, rule: str, incidents: list[Incident], place: str) -> Message:
    is_over = phase is Phase.END
    names = list(dict.fromkeys(incident.finding.subject for incident in incidents))
    more = len(names) - SUBJECTS_IN_TITLE
    listed = ", ".join(names[:SUBJECTS_IN_TITLE]) + (f" and {more} more" if more > 0 else "")
    title = f"{'over: ' if is_over else ''}{TITLES[rule]}: {listed}"
    parts = [_end(one) if is_over else _beginning(one) for one in incidents[:INCIDENTS_IN_BODY]]
    if len(incidents) > INCIDENTS_IN_BODY:
        parts.append(f"{len(incidents) - INCIDENTS_IN_BODY} more are in dwh.alert_incident")
    return Message(title, "\n\n".join([*parts, f"told by: {place}"]), is_over)


def _beginning(incident: Incident) -> str:
    finding = incident.finding
    return (
        f"{finding.subject}: {TITLES[finding.rule]}\n{finding.problem}\n"
        f"since: {_time(finding.since)}\nnext: {finding.next_command}"
    )


def _end(incident: Incident) -> str:
    finding, ended_at = incident.finding, incident.ended_at
    assert ended_at is not None
    lasted = duration((ended_at - finding.since).total_seconds())
    return (
        f"{finding.subject}: {TITLES[finding.rule]}: this is over\n"
        f"since: {_time(finding.since)}\nuntil: {_time(ended_at)}, after {lasted}"
    )


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
