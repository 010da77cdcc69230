"""Messages that a topic deletes, since they are old, before they are read."""

from typing import Any

from common.log import get_logger

log = get_logger(__name__)

SECONDS = 10


class Beginnings:
    """The first offset that each partition of a topic still has, asked for when it matters.

    One is for messages that were read at once: the brokers had them before they are asked.
    """

    def __init__(self, client: Any, topic: str) -> None:
        self._client, self.topic = client, topic
        self._known: dict[int, int | None] = {}

    def first(self, number: int) -> int | None:
        """The first offset of a partition; None if the brokers do not say."""
        if number not in self._known:
            self._known[number] = self._ask(number)
        return self._known[number]

    def _ask(self, number: int) -> int | None:
        from confluent_kafka import KafkaException, TopicPartition

        try:
            place = TopicPartition(self.topic, number)
            marks = self._client.get_watermark_offsets(place, timeout=SECONDS)
        except KafkaException:
            return None
        return int(marks[0]) if marks and marks[0] >= 0 else None


def lost_before(beginnings: Beginnings, number: int, expected: int, found: int) -> int:
    """How many messages from the offset `expected` on are gone, now that `found` was read.

    An offset below the first one that the partition still has is lost. Others that are left out
    never were messages: transactions leave such. If the brokers do not say which is the first
    one, all that were left out count.
    """
    if found <= expected:
        return 0
    first = beginnings.first(number)
    lost = max(0, min(found if first is None else first, found) - expected)
    if lost:
        log.warning(
            "topic %s, partition %d: %d messages, from offset %d to %d, were deleted by the"
            " retention of the topic before they were read",
            *(beginnings.topic, number, lost, expected, expected + lost - 1),
        )
    return lost
