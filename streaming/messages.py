"""Messages: where one stands in its topic, and what was received there."""

from dataclasses import dataclass

TOPIC, DEAD_LETTERS = "customers", "customers.dead_letter"
SCHEMA_VERSION = 1
"""The version of what a message contains; one of another version is not read."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of a topic. A topic that is created again has another id."""

    topic: str
    topic_id: str
    number: int


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it was received. The text of one without a value is empty."""

    partition: Partition
    offset: int
    key: bytes | None
    text: bytes


@dataclass(frozen=True, slots=True)
class Reference:
    """What the topic of dead letters has of an invalid message: where it is, and why it is there.

    `invalid_id` is its key in the table that has the message itself.
    """

    invalid_id: int
    topic: str
    partition: int
    offset: int
    reason: str
