"""The partitions that a consumer reads: where it begins in each, and how far it has come."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from common.log import get_logger
from streaming.connection import FIRST_PAUSE, LONGEST_PAUSE, Session
from streaming.database import note_next, offsets
from streaming.errors import StreamError
from streaming.gaps import Beginnings, lost_before
from streaming.messages import TOPIC, Partition, Received
from streaming.settings import Cluster
from streaming.topics import Topic, describe_topic, ensure_topics

log = get_logger(__name__)

LOOK_SECONDS = 60.0
"""How often the brokers are asked whether the topic has other partitions now."""


class Gap(NamedTuple):
    """How many messages of a partition are lost, and the offset after the last one of them."""

    end: int
    lost: int


NO_GAP = Gap(0, 0)


class Assignment:
    """All partitions of the topic of the customers, which are read by one client.

    `lost` is how many messages the topic had deleted before they were read.
    """

    def __init__(
        self, cluster: Cluster, client: Any, session: Session, retry_seconds: float
    ) -> None:
        self._cluster, self._client, self._session = cluster, client, session
        self._retry_seconds = retry_seconds
        self.topic = ensure_topics(cluster)
        self._written: dict[int, int] = {}
        self._read: dict[int, int] = {}
        self._gaps: dict[int, Gap] = {}
        self._at_end: set[int] = set()
        self._refused: dict[int, float] = {}
        self._is_disturbed, self._look_at = False, 0.0
        self.lost = 0

    def begin(self) -> None:
        """Go on where the database says, at first at the beginning."""
        from confluent_kafka import OFFSET_BEGINNING, TopicPartition

        self._written = offsets(self._session, self.topic.topic_id, self.topic.name)
        self._read = dict(self._written)
        self._gaps.clear()
        self._at_end.clear()
        self._look_at = time.monotonic() + (LONGEST_PAUSE if self._refused else LOOK_SECONDS)
        self._client.assign(
            [
                TopicPartition(
                    self.topic.name, one.number, self._written.get(one.number, OFFSET_BEGINNING)
                )
                for one in self.topic.partitions
            ]
        )

    def note(self, messages: Sequence[Any]) -> list[Received]:
        """Note what the client has read, and what is wrong; returns the messages.

        The end of a partition that a broker tells if it is asked may be too low (decision 50).
        """
        from confluent_kafka import KafkaError

        received = []
        beginnings = Beginnings(self._client, self.topic.name)
        for message in messages:
            error = message.error()
            if error is None:
                received.append(self._received(message))
                self._note_read(beginnings, message, message.offset() + 1)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._note_read(beginnings, message, message.offset())
                self._at_end.add(message.partition())
            else:
                self._note_refused(message.partition())
                self.disturb(error)
        return received

    def disturb(self, error: Any) -> None:
        """Note that something is wrong with the brokers."""
        self._is_disturbed = True
        log.warning("broker %s: %s", self._cluster.bootstrap, error)

    def has_changed(self) -> bool:
        """Look at the topic, after an error and at intervals; true if it is read anew.

        What was read meanwhile is then of no use: it may be of a topic that took the place of this
        one, and is read again otherwise. Raises StreamError if the brokers do not answer, or do not
        let a partition be read, for as long as is set.
        """
        if not self._is_disturbed and time.monotonic() < self._look_at:
            return False
        self._is_disturbed = False
        asked_at = time.monotonic()
        topic = _persistently(self._existing_topic, self._retry_seconds)
        waited = time.monotonic() - asked_at
        self._refused = {number: since + waited for number, since in self._refused.items()}
        self._check_refused()
        if topic == self.topic and not self._refused:
            self._look_at = time.monotonic() + LOOK_SECONDS
            return False
        if topic == self.topic and time.monotonic() < self._look_at:
            return False
        self._follow(topic)
        return True

    def note_written(self, received: Sequence[Received]) -> None:
        """Note that the database has these messages."""
        for message in received:
            self._written[message.partition.number] = message.offset + 1

    def note_lost(self) -> None:
        """Note what is lost, so that it is told once, now that what was read before it is written.

        Earlier, the next consumer would go on behind messages that the database does not have.
        """
        for number, gap in self._gaps.items():
            partition = Partition(self.topic.name, self.topic.topic_id, number)
            note_next(self._session, partition, gap.end)
            self._written[number] = max(self._written.get(number, 0), gap.end)
            self.lost += gap.lost
        self._gaps.clear()

    @property
    def is_at_end(self) -> bool:
        """Whether each partition was read to its end."""
        return len(self._at_end) == len(self.topic.partitions)

    def lag(self) -> int | None:
        """How many messages are there and not yet read, as far as the brokers have said."""
        from confluent_kafka import TopicPartition

        lag = 0
        for one in self.topic.partitions:
            place = TopicPartition(one.topic, one.number)
            low, high = self._client.get_watermark_offsets(place, cached=True) or (-1, -1)
            if high < 0:
                return None
            lag += max(0, high - self._written.get(one.number, max(low, 0)))
        return lag

    def commit(self) -> None:
        """Tell Kafka, for those who watch the lag there, what the database has."""
        from confluent_kafka import KafkaException, TopicPartition

        places = [
            TopicPartition(self.topic.name, number, offset)
            for number, offset in self._written.items()
        ]
        try:
            if places:
                self._client.commit(offsets=places, asynchronous=True)
        except KafkaException as error:
            # the database has them, which is what counts
            log.warning("offsets are not committed: %s", error)

    def _received(self, message: Any) -> Received:
        partition = Partition(self.topic.name, self.topic.topic_id, message.partition())
        return Received(partition, message.offset(), message.key(), message.value() or b"")

    def _note_read(self, beginnings: Beginnings, message: Any, following: int) -> None:
        """Note how far a partition was read; what it had deleted before is lost."""
        number = message.partition()
        self._refused.pop(number, None)
        expected = self._read.get(number)
        if expected is not None:
            lost = lost_before(beginnings, number, expected, message.offset())
            if lost:
                before = self._gaps.get(number, NO_GAP)
                self._gaps[number] = Gap(expected + lost, before.lost + lost)
        self._read[number] = following

    def _note_refused(self, number: int) -> None:
        if number not in self._refused:
            self._refused[number] = time.monotonic()
            self._look_at = min(self._look_at, time.monotonic() + FIRST_PAUSE)

    def _existing_topic(self) -> Topic:
        return describe_topic(self._cluster, TOPIC) or ensure_topics(self._cluster)

    def _check_refused(self) -> None:
        for number, since in self._refused.items():
            if time.monotonic() - since > self._retry_seconds:
                raise StreamError(
                    f"topic {self.topic.name}, partition {number}",
                    f"the brokers have not let it be read for {self._retry_seconds:.0f} s",
                    "See the log for what they say; the account needs Read on the topic.",
                )

    def _follow(self, topic: Topic) -> None:
        before, self.topic = self.topic, topic
        if topic.topic_id != before.topic_id:
            # it may have fewer partitions
            self._refused.clear()
            log.warning("topic %s: created again; read from its beginning", topic.name)
        elif topic != before:
            log.warning("topic %s: it has %d partitions now", topic.name, len(topic.partitions))
        self.begin()


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
