"""The consumer: reads the topic, checks each message, writes batches, then commits the offsets."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.log import get_logger
from common.pause import pause_point
from common.stopping import Stopped
from streaming.connection import FIRST_PAUSE, LONGEST_PAUSE, Session
from streaming.database import Checked, Written, note_told, offsets, untold, write
from streaming.dead_letters import DeadLetters
from streaming.errors import StreamError
from streaming.messages import TOPIC, Partition, Received
from streaming.settings import Cluster
from streaming.statistics import FILE, Counter, Statistics
from streaming.topics import (
    READING,
    Topic,
    describe_topic,
    ensure_topics,
    quiet_logger,
    stream_error,
)
from streaming.validation import Invalid, check

log = get_logger(__name__)

BATCH = 1000
WAIT_SECONDS = 0.2


class Consumer:
    """One consumer of the topic, on a session of the database that is its alone."""

    def __init__(
        self, cluster: Cluster, session: Session, retry_seconds: float, file: Path = FILE
    ) -> None:
        from confluent_kafka import Consumer as Client

        self._cluster, self._session, self._retry_seconds = cluster, session, retry_seconds
        self._topic = ensure_topics(cluster)
        options = {**cluster.options(), **READING, "error_cb": self._note_error}
        self._client = Client({**options, "logger": quiet_logger()})
        self._dead_letters = DeadLetters(cluster)
        self._next: dict[int, int] = {}
        self._at_end: set[int] = set()
        self._is_disturbed, self._has_untold = False, True
        self.counter = Counter(self._topic.name, self._lag, file)

    def run(self, until_end: bool = False) -> Statistics:
        """Consume until a signal, or until each partition was read to its end.

        Raises TidemarkError.
        """
        from confluent_kafka import KafkaException

        try:
            self._assign()
            self._consume(until_end)
        except Stopped:
            return self._close("stopped")
        except KafkaException as error:
            self._close("failed")
            raise stream_error(self._cluster, error, "the client cannot go on") from None
        except BaseException:
            self._close("failed")
            raise
        return self._close("stopped")

    def _consume(self, until_end: bool) -> None:
        while not (until_end and self._is_done):
            messages = self._client.consume(BATCH, WAIT_SECONDS)
            self._note_ends(messages)
            # what was read meanwhile may be of a topic that took the place of this one
            if self._is_disturbed and self._follow_topic():
                continue
            received = [self._received(one) for one in messages if not one.error()]
            if received:
                self._take(received)
            if self._has_untold:
                self._tell_dead_letters()
            self.counter.tick()

    @property
    def _is_done(self) -> bool:
        return len(self._at_end) == len(self._topic.partitions) and not self._has_untold

    def _note_ends(self, messages: Sequence[Any]) -> None:
        """Note which partitions are read to their ends, and whether something is wrong.

        The end of a partition that a broker tells if it is asked may be too low (decision 50).
        """
        from confluent_kafka import KafkaError

        for message in messages:
            error = message.error()
            if error and error.code() == KafkaError._PARTITION_EOF:
                self._at_end.add(message.partition())
            elif error:
                self._note_error(error)

    def _take(self, received: Sequence[Received]) -> None:
        """Check and write a batch, and commit its offsets once the database has them."""
        now = datetime.now(UTC)
        checked = [checked_message(message, now) for message in received]
        pause_point("stream_checked")
        written = write(self._session, checked)
        pause_point("stream_written")
        for message in received:
            self._next[message.partition.number] = message.offset + 1
        self._commit(asynchronous=True)
        pause_point("stream_committed")
        self._has_untold = self._has_untold or written.invalid > 0
        self.counter.add(written)

    def _tell_dead_letters(self) -> None:
        """Send the references that are missing; what is not confirmed is sent again later."""
        references = untold(self._session)
        confirmed = self._dead_letters.send(references)
        pause_point("stream_told")
        note_told(self._session, confirmed)
        self._has_untold = bool(references)
        self.counter.add(Written(), len(confirmed))

    def _assign(self) -> None:
        """Go on where the database says, at first at the beginning."""
        from confluent_kafka import OFFSET_BEGINNING, TopicPartition

        self._next = offsets(self._session, self._topic.topic_id, self._topic.name)
        self._at_end.clear()
        self._client.assign(
            [
                TopicPartition(
                    self._topic.name, one.number, self._next.get(one.number, OFFSET_BEGINNING)
                )
                for one in self._topic.partitions
            ]
        )

    def _follow_topic(self) -> bool:
        """After an error: wait until the brokers answer; true if the topic is another one now."""
        self._is_disturbed = False
        topic = _persistently(self._existing_topic, self._retry_seconds)
        if topic == self._topic:
            return False
        log.warning("topic %s: created again or changed; read from its beginning", topic.name)
        self._topic = topic
        self._assign()
        return True

    def _existing_topic(self) -> Topic:
        return describe_topic(self._cluster, TOPIC) or ensure_topics(self._cluster)

    def _received(self, message: Any) -> Received:
        partition = Partition(self._topic.name, self._topic.topic_id, message.partition())
        return Received(partition, message.offset(), message.key(), message.value() or b"")

    def _lag(self) -> int | None:
        """How many messages are there and not yet read, as far as the brokers have said."""
        from confluent_kafka import TopicPartition

        lag = 0
        for one in self._topic.partitions:
            place = TopicPartition(one.topic, one.number)
            low, high = self._client.get_watermark_offsets(place, cached=True) or (-1, -1)
            if high < 0:
                return None
            lag += max(0, high - self._next.get(one.number, max(low, 0)))
        return lag

    def _commit(self, asynchronous: bool) -> None:
        from confluent_kafka import KafkaException, TopicPartition

        places = [
            TopicPartition(self._topic.name, number, offset)
            for number, offset in self._next.items()
        ]
        try:
            if places:
                self._client.commit(offsets=places, asynchronous=asynchronous)
        except KafkaException as error:
            # the database has them, which is what counts
            log.warning("offsets are not committed: %s", error)

    def _note_error(self, error: Any) -> None:
        self._is_disturbed = True
        log.warning("broker %s: %s", self._cluster.bootstrap, error)

    def _close(self, state: str) -> Statistics:
        self._commit(asynchronous=True)
        statistics = self.counter.end(state)
        self._client.close()
        self._dead_letters.close()
        return statistics


def checked_message(received: Received, now: datetime) -> Checked:
    """The message, with its customer or the reason why it is invalid."""
    try:
        return Checked(received, check(received, now))
    except Invalid as reason:
        return Checked(received, reason=str(reason))


def _persistently(ask: Callable[[], Topic], retry_seconds: float) -> Topic:
    """The answer of the brokers, asked again while they do not answer. Raises StreamError."""
    give_up_at = time.monotonic() + retry_seconds
    pause = FIRST_PAUSE
    while True:
        try:
            return ask()
        except StreamError as error:
            if time.monotonic() + pause > give_up_at:
                raise
            log.warning("%s: %s; again in %.1f s", error.subject, error.problem, pause)
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
