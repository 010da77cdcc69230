"""Replay: invalid messages that somebody has mended are checked again and taken in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pymysql.cursors import Cursor

from streaming.connection import RowRefused, Session
from streaming.database import Checked, apply_customers
from streaming.messages import Partition, Received
from streaming.validation import Invalid, check_text

AT_ONCE = 500
OUTCOMES = ("applied", "superseded")


@dataclass(frozen=True)
class Replayed:
    """How many mended messages were applied, were older than what is there, are still invalid."""

    applied: int = 0
    superseded: int = 0
    invalid: int = 0

    def __add__(self, other: "Replayed") -> "Replayed":
        return Replayed(
            self.applied + other.applied,
            self.superseded + other.superseded,
            self.invalid + other.invalid,
        )


@dataclass(frozen=True)
class _Mended:
    """A mended message, and its key in the table of invalid ones."""

    invalid_id: int
    checked: Checked


def replay(session: Session) -> Replayed:
    """Take in every mended message that was not taken in yet, in the order of their arrival."""
    done, last_id = Replayed(), 0
    while ids := _ids(session, last_id):
        done += _replay(session, ids)
        last_id = ids[-1]
    return done


def _ids(session: Session, after: int) -> list[int]:
    return session.transact(lambda cursor: _read_ids(cursor, after))


def _read_ids(cursor: Cursor, after: int) -> list[int]:
    cursor.execute(
        "select invalid_id from customers_invalid where mended_message is not null"
        " and replayed_at is null and invalid_id > %s order by invalid_id limit %s",
        (after, AT_ONCE),
    )
    return [invalid_id for (invalid_id,) in cursor.fetchall()]


def _replay(session: Session, ids: Sequence[int]) -> Replayed:
    """Take in these messages in one transaction. If a row is refused, halve it, down to one."""
    try:
        return session.transact(lambda cursor: _take_in(cursor, ids))
    except RowRefused as refused:
        if len(ids) > 1:
            half = len(ids) // 2
            return _replay(session, ids[:half]) + _replay(session, ids[half:])
        reason = f"the database refuses it (error {refused.code})"
        session.transact(lambda cursor: _note(cursor, [(ids[0], reason)]))
        return Replayed(invalid=1)


def _take_in(cursor: Cursor, ids: Sequence[int]) -> Replayed:
    mended = _read(cursor, ids)
    outcomes = apply_customers(cursor, [one.checked for one in mended])
    _note(cursor, [(one.invalid_id, said) for one, said in zip(mended, outcomes, strict=True)])
    applied, superseded = map(outcomes.count, OUTCOMES)
    return Replayed(applied, superseded, len(outcomes) - applied - superseded)


def _read(cursor: Cursor, ids: Sequence[int]) -> list[_Mended]:
    """These messages, locked, and checked as they are now."""
    now = datetime.now(UTC)
    cursor.execute(
        "select invalid_id, topic, topic_id, partition_number, message_offset, mended_message"
        " from customers_invalid where invalid_id in %s and replayed_at is null"
        " order by invalid_id for update",
        (list(ids),),
    )
    return [
        _Mended(invalid_id, _checked(Partition(*place), offset, text.encode(), now))
        for invalid_id, *place, offset, text in cursor.fetchall()
    ]


def _checked(partition: Partition, offset: int, text: bytes, now: datetime) -> Checked:
    received = Received(partition, offset, None, text)
    try:
        return Checked(received, check_text(text, now))
    except Invalid as reason:
        return Checked(received, reason=str(reason))


def _note(cursor: Cursor, outcomes: Sequence[tuple[int, str]]) -> None:
    """Note what became of messages; one that is still invalid stays, with its reason now."""
    for invalid_id, outcome in outcomes:
        if outcome in OUTCOMES:
            cursor.execute(
                "update customers_invalid set replayed_at = current_timestamp(6), outcome = %s"
                " where invalid_id = %s",
                (outcome, invalid_id),
            )
        else:
            cursor.execute(
                "update customers_invalid set reason = %s where invalid_id = %s",
                (outcome, invalid_id),
            )
