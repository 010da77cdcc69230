"""The messages: of each rule one for all incidents that have to be told by a channel at once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from alerts.channels import Message
from alerts.findings import TITLES
from alerts.incidents import Incident, Phase
from common.durations import duration

SUBJECTS_IN_TITLE = 3
INCIDENTS_IN_BODY = 20
SHORT = 500
"""Characters of the short form of a message."""
Room = Callable[[str], int]


def messages_for(
    incidents: Sequence[Incident], channel: str, place: str, room: Room = lambda title: 10_000
) -> Iterator[tuple[Phase, list[Incident], Message]]:
    """What a channel has yet to tell; `place` says which Tidemark tells it.

    `room` says how long a body may be beside a title. What is over comes first, so that the last
    message about something that returned is right.
    """
    ended = [incident for incident in incidents if incident.ended_at]
    still_open = [incident for incident in incidents if not incident.ended_at]
    for phase, some in ((Phase.BEGIN, ended), (Phase.END, ended), (Phase.BEGIN, still_open)):
        untold = [incident for incident in some if incident.is_untold(phase, channel)]
        for rule in TITLES:
            of_rule = [incident for incident in untold if incident.finding.rule == rule]
            if of_rule:
                message = _message(phase, rule, of_rule, place)
                yield phase, of_rule, _that_fits(message, of_rule, place, room(message.title))


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


def _that_fits(message: Message, incidents: list[Incident], place: str, room: int) -> Message:
    """The message with a body that fits, and its short form."""
    tail = f"\n\ndetails: dwh.alert_incident\ntold by: {place}"
    short = _lines(message, incidents, min(room, SHORT), tail)
    body = message.body if len(message.body) <= room else _lines(message, incidents, room, tail)
    return replace(message, body=body, short=short)


def _lines(message: Message, incidents: list[Incident], room: int, tail: str) -> str:
    """A line for each incident, as many as fit with the tail, or what fits of it."""
    lines: list[str] = []
    for incident in incidents:
        finding = incident.finding
        line = finding.subject if message.is_over else f"{finding.subject}: {finding.problem}"
        line = line.splitlines()[0]
        if len(line) > SHORT // 3:
            line = f"{line[: SHORT // 3]}…"
        more = f"\nand {len(incidents) - len(lines)} more"
        if len("\n".join([*lines, line])) + len(more) + len(tail) > room:
            return ("\n".join(lines) + more + tail).strip()[:room]
        lines.append(line)
    return "\n".join(lines) + tail


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
