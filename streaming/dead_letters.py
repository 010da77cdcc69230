"""References to invalid messages, sent to the topic of dead letters."""

import json
from collections.abc import Sequence
from typing import Any

from common.log import get_logger
from streaming.messages import DEAD_LETTERS, Reference
from streaming.settings import Cluster
from streaming.topics import PRODUCING, quiet_logger

log = get_logger(__name__)

SECONDS = 10


class DeadLetters:
    """A producer of references, which are without a personal value."""

    def __init__(self, cluster: Cluster) -> None:
        from confluent_kafka import Producer

        self._client = Producer(
            {
                **cluster.options(),
                **PRODUCING,
                # a repeated reference is harmless, and brokers that lost all would end the client
                "enable.idempotence": False,
                "linger.ms": 5,
                "message.timeout.ms": SECONDS * 1000,
                "logger": quiet_logger(),
            }
        )

    def send(self, references: Sequence[Reference]) -> list[Reference]:
        """Send references; returns those that the brokers have confirmed."""
        confirmed: list[Reference] = []

        def note(reference: Reference, error: Any) -> None:
            if error is None:
                confirmed.append(reference)
            else:
                log.warning("topic %s: %s", DEAD_LETTERS, error)

        for reference in references:
            self._client.produce(
                DEAD_LETTERS,
                key=f"{reference.topic}/{reference.partition}/{reference.offset}",
                value=letter(reference),
                on_delivery=lambda error, _, one=reference: note(one, error),
            )
        self._client.flush(SECONDS + 1)
        return confirmed

    def close(self) -> None:
        """Give up what is not confirmed: it is sent again by the next consumer."""
        self._client.purge()


def letter(reference: Reference) -> bytes:
    """The value of the message that refers to an invalid one."""
    return json.dumps(
        {
            "topic": reference.topic,
            "partition": reference.partition,
            "offset": reference.offset,
            "reason": reference.reason,
        }
    ).encode()
