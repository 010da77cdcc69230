"""The producer: sends simulated customers at a rate, and counts what the brokers confirm."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common.log import get_logger
from common.stopping import Stopped, undisturbed
from streaming.messages import TOPIC
from streaming.settings import Cluster
from streaming.simulation import Message
from streaming.topics import PRODUCING, ensure_topics, quiet_logger

log = get_logger(__name__)

QUEUE_MESSAGES = 10_000
"""How many messages may wait for the brokers; then sending waits."""
LAST_SECONDS = 10
"""How long a producer that is stopped by a signal waits for what is not confirmed yet."""
REPORT_SECONDS = 10.0
BURST_SECONDS = 0.05
MOMENT_SECONDS = 0.2

Report = Callable[[Message, Any], None]
"""Is told each message that was confirmed, with where it is."""


@dataclass(frozen=True)
class Delivered:
    """How many messages the brokers have confirmed, and how many they have not."""

    delivered: int
    undelivered: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.delivered / max(self.seconds, 0.001)


class Producer:
    """Sends messages; each is repeated until it is confirmed or its time is over."""

    def __init__(self, cluster: Cluster, retry_seconds: int, report: Report | None = None) -> None:
        from confluent_kafka import Producer as Client

        ensure_topics(cluster)
        self._retry_seconds, self._report = retry_seconds, report
        self._sent = self._delivered = self._failed = 0
        self._started = time.monotonic()
        self._client = Client(
            {
                **cluster.options(),
                **PRODUCING,
                "linger.ms": 20,
                "queue.buffering.max.messages": QUEUE_MESSAGES,
                "message.timeout.ms": retry_seconds * 1000,
                "logger": quiet_logger(),
            }
        )

    def send(self, message: Message) -> None:
        """Hand a message over; waits while the queue is full, as long as messages may take."""
        while True:
            # a signal in the middle would lose the count, or the report of a delivery
            with undisturbed():
                try:
                    self._client.produce(
                        TOPIC,
                        key=message.key,
                        value=message.text,
                        on_delivery=lambda error, place: self._note(message, error, place),
                    )
                except BufferError:
                    self._client.poll(0.1)
                else:
                    self._sent += 1
                    self._client.poll(0)
                    return

    def close(self, seconds: float) -> Delivered:
        """Wait for what is not confirmed yet, and count it as not delivered afterwards."""
        give_up_at = time.monotonic() + seconds
        while (left := self._poll_all()) and time.monotonic() < give_up_at:
            pass
        if left:
            # otherwise the client would wait for its messages before the process ends
            self._client.purge()
            self._client.flush(1)
        elapsed = time.monotonic() - self._started
        return Delivered(self._delivered, self._sent - self._delivered, elapsed)

    def _poll_all(self) -> int:
        """Wait for reports a moment; returns how many messages are not confirmed yet."""
        with undisturbed():
            return int(self._client.flush(MOMENT_SECONDS))

    def produce(
        self, next_message: Callable[[], Message], rate: int, count: int | None
    ) -> Delivered:
        """Send messages at this rate, until there are as many as `count`, or until a signal.

        It ends too when the client cannot go on, as if the brokers have lost what they knew of it.
        """
        from confluent_kafka import KafkaException

        try:
            self._send_all(next_message, rate, count)
            return self.close(self._retry_seconds + 1)
        except Stopped:
            return self.close(LAST_SECONDS)
        except KafkaException as error:
            log.error("topic %s: %s", TOPIC, error)
            self._sent += 1
            return self.close(LAST_SECONDS)

    def _send_all(self, next_message: Callable[[], Message], rate: int, count: int | None) -> None:
        started = reported = time.monotonic()
        while count is None or self._sent < count:
            now = time.monotonic()
            if self._sent >= (now - started) * rate:
                with undisturbed():
                    self._client.poll(min(BURST_SECONDS, 1 / rate))
                continue
            self.send(next_message())
            if now - reported > REPORT_SECONDS:
                reported = now
                log.info("sent %d, delivered %d, failed %d", *self._counts)

    @property
    def _counts(self) -> tuple[int, int, int]:
        return self._sent, self._delivered, self._failed

    def _note(self, message: Message, error: Any, place: Any) -> None:
        if error is not None:
            self._failed += 1
            log.warning("topic %s: a message is not delivered (%s)", TOPIC, error)
            return
        self._delivered += 1
        if self._report:
            self._report(message, place)
