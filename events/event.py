"""A change event as it was found, and the place where it was found."""

from typing import NamedTuple

EVENT_BYTES = 1_048_576
"""A longer event is broken; one byte more than this of its beginning lands."""


class FilePlace(NamedTuple):
    """The full path of a file, and the line in which an event begins; the first one is 1."""

    file_name: str
    line_number: int


class TopicPlace(NamedTuple):
    """The place of an event in a topic, where no other event ever has it."""

    topic: str
    partition: int
    offset: int


class Event(NamedTuple):
    """The raw bytes of an event, which may be anything, and its place."""

    raw: bytes
    place: FilePlace | TopicPlace
