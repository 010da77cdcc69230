"""What a consumer writes: customers, the versions that were applied, invalid messages, offsets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pymysql.cursors import Cursor

from common.pause import pause_point
from streaming.connection import RowRefused, Session
from streaming.messages import Partition, Received, Reference
from streaming.validation import Customer

COLUMNS = (
    *("customer_id", "first_name", "last_name", "age", "email", "country", "city", "postal_code"),
    *("phone_number", "registration_date", "last_login_date"),
)
INSERT = f"insert into customers ({', '.join(COLUMNS)}) values ({', '.join(['%s'] * len(COLUMNS))})"
UPDATE = f"{INSERT} on duplicate key update " + ", ".join(
    f"{column} = values({column})" for column in COLUMNS[1:]
)
VERSION = """insert into customers_stream
(customer_id, version, topic, topic_id, partition_number, message_offset)
values (%s, %s, %s, %s, %s, %s) on duplicate key update
topic = if(values(version) > version, values(topic), topic),
topic_id = if(values(version) > version, values(topic_id), topic_id),
partition_number = if(values(version) > version, values(partition_number), partition_number),
message_offset = if(values(version) > version, values(message_offset), message_offset),
version = greatest(version, values(version))"""
INVALID = """insert into customers_invalid
(topic, topic_id, partition_number, message_offset, message, reason)
values (%s, %s, %s, %s, %s, %s) on duplicate key update invalid_id = invalid_id"""
OFFSET = """insert into customers_stream_offsets (topic, topic_id, partition_number, next_offset)
values (%s, %s, %s, %s)
on duplicate key update next_offset = greatest(next_offset, values(next_offset))"""
EMAIL_TAKEN = "email is that of another customer"
ATTEMPTS = 3
"""A single row that is refused is tried so often: somebody else may have written it just now."""
TOLD_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Checked:
    """A message that was checked: its customer, or the reason why it is invalid."""

    received: Received
    customer: Customer | None = None
    reason: str = ""


@dataclass(frozen=True)
class Written:
    """How many messages were applied, were superseded by a version that is there, were invalid."""

    applied: int = 0
    superseded: int = 0
    invalid: int = 0

    def __add__(self, other: "Written") -> "Written":
        return Written(
            self.applied + other.applied,
            self.superseded + other.superseded,
            self.invalid + other.invalid,
        )


@dataclass
class _State:
    """What the database has of the customers of a batch, as the messages change it one by one."""

    versions: dict[int, int] = field(default_factory=dict)
    emails: dict[int, str] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)


def write(session: Session, messages: Sequence[Checked]) -> Written:
    """Write a batch in one transaction. If a row is refused, halve it, down to the message."""
    try:
        return session.transact(lambda cursor: _write(cursor, messages, session.longest_text))
    except RowRefused as refused:
        if len(messages) > 1:
            half = len(messages) // 2
            return write(session, messages[:half]) + write(session, messages[half:])
        return _write_alone(session, messages[0], refused)


def apply_customers(cursor: Cursor, messages: Iterable[Checked]) -> list[str]:
    """Bring the customers of these messages into the table, in their order.

    Returns for each message `applied`, `superseded`, or the reason why it is invalid.
    """
    valid = [message for message in messages if message.customer]
    state = _read_state(cursor, [one.customer for one in valid if one.customer])
    known = frozenset(state.emails)
    newest: dict[int, Checked] = {}
    outcomes = []
    for message in messages:
        outcome = _outcome(message, state)
        if outcome == "applied" and message.customer:
            newest[message.customer.customer_id] = message
        outcomes.append(outcome)
    _write_customers(cursor, newest.values(), known)
    return outcomes


def offsets(session: Session, topic_id: str, topic: str) -> dict[int, int]:
    """The offset of the next message of each partition of which one was written."""

    def read(cursor: Cursor) -> dict[int, int]:
        cursor.execute(
            "select partition_number, next_offset from customers_stream_offsets"
            " where topic = %s and topic_id = %s",
            (topic, topic_id),
        )
        return dict(cursor.fetchall())

    return session.transact(read)


def note_next(session: Session, partition: Partition, offset: int) -> None:
    """Note that the messages of a partition before this offset are gone; it is told once."""
    session.transact(lambda cursor: cursor.execute(OFFSET, (*_place(partition), offset)))


def untold(session: Session) -> list[Reference]:
    """Some invalid messages of which the topic of dead letters has not confirmed a reference."""

    def read(cursor: Cursor) -> list[Reference]:
        cursor.execute(
            "select invalid_id, topic, partition_number, message_offset, reason"
            " from customers_invalid where told_at is null order by invalid_id limit %s",
            (TOLD_AT_ONCE,),
        )
        return [Reference(*row) for row in cursor.fetchall()]

    return session.transact(read)


def note_told(session: Session, references: Sequence[Reference]) -> None:
    """Note that the topic of dead letters has these references."""
    if references:
        ids = [reference.invalid_id for reference in references]
        session.transact(
            lambda cursor: cursor.execute(
                "update customers_invalid set told_at = current_timestamp(6)"
                " where invalid_id in %s",
                (ids,),
            )
        )


def _write(cursor: Cursor, messages: Sequence[Checked], longest_text: int) -> Written:
    pause_point("stream_begun")
    outcomes = apply_customers(cursor, messages)
    pause_point("stream_customers_written")
    wrong = [
        _invalid_row(message, outcome, longest_text)
        for message, outcome in zip(messages, outcomes, strict=True)
        if outcome not in ("applied", "superseded")
    ]
    if wrong:
        cursor.executemany(INVALID, wrong)
    pause_point("stream_invalid_written")
    _write_offsets(cursor, messages)
    pause_point("stream_offsets_written")
    return Written(outcomes.count("applied"), outcomes.count("superseded"), len(wrong))


def _write_alone(session: Session, message: Checked, refused: RowRefused) -> Written:
    """Write one message whose row was refused; if it still is, it is invalid."""
    for _ in range(ATTEMPTS):
        try:
            return session.transact(lambda cursor: _write(cursor, [message], session.longest_text))
        except RowRefused as error:
            refused = error
    reason = f"the database refuses it (error {refused.code})"
    invalid = Checked(message.received, reason=reason)
    return session.transact(lambda cursor: _write(cursor, [invalid], session.longest_text))


def _read_state(cursor: Cursor, customers: list[Customer]) -> _State:
    """The versions and the addresses of these customers, and who has these addresses, locked."""
    state = _State()
    if not customers:
        return state
    ids = sorted({customer.customer_id for customer in customers})
    emails = sorted({customer.email for customer in customers})
    for column, values in (("customer_id", ids), ("email", emails)):
        cursor.execute(
            f"select customer_id, lower(email) from customers where {column} in %s for update",
            (values,),
        )
        for customer_id, email in cursor.fetchall():
            state.owners[email] = customer_id
            state.emails[customer_id] = email
    # afterwards: a customer without a version yet is locked by his own row alone
    cursor.execute(
        "select customer_id, version from customers_stream where customer_id in %s for update",
        (ids,),
    )
    state.versions = dict(cursor.fetchall())
    return state


def _outcome(message: Checked, state: _State) -> str:
    """What becomes of a message; the state is changed as it changes the table."""
    customer = message.customer
    if customer is None:
        return message.reason
    if customer.version <= state.versions.get(customer.customer_id, customer.version - 1):
        return "superseded"
    if state.owners.get(customer.email, customer.customer_id) != customer.customer_id:
        return EMAIL_TAKEN
    state.owners.pop(state.emails.get(customer.customer_id, ""), None)
    state.owners[customer.email] = customer.customer_id
    state.emails[customer.customer_id] = customer.email
    state.versions[customer.customer_id] = customer.version
    return "applied"


def _write_customers(cursor: Cursor, messages: Iterable[Checked], known: frozenset[int]) -> None:
    """Insert new customers, update known ones, and note the versions.

    A new one is not written with `on duplicate key update`: if his address had just been taken by
    another customer, it would change that one.
    """
    rows: dict[bool, list[tuple[object, ...]]] = {True: [], False: []}
    versions = []
    for message in messages:
        customer, received = message.customer, message.received
        if customer is None:
            continue
        rows[customer.customer_id in known].append(
            tuple(getattr(customer, column) for column in COLUMNS)
        )
        place = (*_place(received.partition), received.offset)
        versions.append((customer.customer_id, customer.version, *place))
    for statement, written in ((UPDATE, rows[True]), (INSERT, rows[False]), (VERSION, versions)):
        if written:
            cursor.executemany(statement, written)


def _write_offsets(cursor: Cursor, messages: Sequence[Checked]) -> None:
    following = {one.received.partition: one.received.offset + 1 for one in messages}
    cursor.executemany(
        OFFSET, [(*_place(partition), offset) for partition, offset in following.items()]
    )


def _invalid_row(message: Checked, reason: str, longest_text: int) -> tuple[object, ...]:
    """The row of an invalid message. A text that is too long for a statement is cut off."""
    received = message.received
    text = received.text.decode("utf-8", errors="backslashreplace")
    encoded = text.encode()
    if len(encoded) > longest_text:
        note = f" [cut off: the message has {len(received.text)} bytes]"
        text = encoded[: longest_text - len(note)].decode("utf-8", errors="ignore") + note
    return (*_place(received.partition), received.offset, text, reason)


def _place(partition: Partition) -> tuple[str, str, int]:
    return partition.topic, partition.topic_id, partition.number
