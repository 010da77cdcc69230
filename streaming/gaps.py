"""Messages that a topic deletes, since they are old, before they are read."""

from typing import Any

from common.log import get_logger

log = get_logger(__name__)

SECONDS = 10


def lost_before(client: Any, topic: str, number: int, expected: int, found: int) -> int:
    """How many messages from the offset `expected` on are gone, now that `found` was read.

    An offset below the first one that the partition still has is lost. Others that are left out
    never were messages: transactions leave such. If the brokers do not say which is the first
    one, all that were left out count.
    """
    if found <= expected:
        return 0
    lost = max(0, min(_first(client, topic, number, found), found) - expected)
    if lost:
        log.warning(
            "topic %s, partition %d: %d messages, from offset %d to %d, were deleted by the"
            " retention of the topic before they were read",
            *(topic, number, lost, expected, expected + lost - 1),
        )
    return lost


def _first(client: Any, topic: str, number: int, default: int) -> int:
    from confluent_kafka import KafkaException, TopicPartition

    try:
        marks = client.get_watermark_offsets(TopicPartition(topic, number), timeout=SECONDS)
    except KafkaException:
        marks = None
    return int(marks[0]) if marks and marks[0] >= 0 else default
