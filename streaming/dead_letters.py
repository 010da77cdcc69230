"""References to invalid messages, sent to the topic of dead letters."""

import json
import time
from collections.abc import Sequence
from typing import Any

from common.log import get_logger
from streaming.connection import FIRST_PAUSE, LONGEST_PAUSE
from streaming.errors import StreamError
from streaming.messages import DEAD_LETTERS, Reference
from streaming.settings import Cluster
from streaming.topics import PRODUCING, quiet_logger

log = get_logger(__name__)

SECONDS = 10


class DeadLetters:
    """A producer of references, which are without a personal value."""

    def __init__(self, cluster: Cluster, retry_seconds: float) -> None:
        from confluent_kafka import Producer

        self._retry_seconds = retry_seconds
        self._pause, self._refused_seconds = 0.0, 0.0
        self._due_at = time.monotonic()
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

    @property
    def is_due(self) -> bool:
        """Whether it is time to send; after a refusal it is only after a pause."""
        return time.monotonic() >= self._due_at

    def send(self, references: Sequence[Reference]) -> list[Reference]:
        """Send references; returns those that the brokers have confirmed.

        Raises StreamError if they have confirmed none for as long as is set.
        """
        begun_at = time.monotonic()
        confirmed = self._send(references)
        if confirmed or not references:
            self._pause, self._refused_seconds = 0.0, 0.0
        else:
            # what counts is the time of the attempts: meanwhile the brokers may have been away
            self._refused_seconds += time.monotonic() - begun_at + self._pause
            self._pause = min(2 * self._pause or FIRST_PAUSE, LONGEST_PAUSE)
            if self._refused_seconds + self._pause > self._retry_seconds:
                raise StreamError(
                    f"topic {DEAD_LETTERS}",
                    f"the brokers have taken no reference for {self._retry_seconds:.0f} s",
                    "See the log for what they say; the account needs Write on the topic. The"
                    " messages are in customers_invalid, and the next consumer tells of them.",
                )
        self._due_at = time.monotonic() + self._pause
        return confirmed

    def _send(self, references: Sequence[Reference]) -> list[Reference]:
        from confluent_kafka import KafkaException

        confirmed: list[Reference] = []

        def note(reference: Reference, error: Any) -> None:
            if error is None:
                confirmed.append(reference)
            else:
                log.warning("topic %s: %s", DEAD_LETTERS, error)

        try:
            for reference in references:
                self._client.produce(
                    DEAD_LETTERS,
                    key=f"{reference.topic}/{reference.partition}/{reference.offset}",
                    value=letter(reference),
                    on_delivery=lambda error, _, one=reference: note(one, error),
                )
        except KafkaException as error:
            # the client knows already that the brokers refuse it
            log.warning("topic %s: %s", DEAD_LETTERS, error)
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
