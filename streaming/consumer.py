"""The consumer: reads the topic, checks each message, writes batches, then commits the offsets."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.pause import pause_point
from common.stopping import Stopped
from streaming.assignment import Assignment
from streaming.connection import Session
from streaming.database import Checked, Written, note_told, untold, write
from streaming.dead_letters import DeadLetters
from streaming.messages import Received
from streaming.settings import Cluster
from streaming.statistics import FILE, Counter, Statistics
from streaming.topics import READING, quiet_logger, stream_error
from streaming.validation import Invalid, check

BATCH = 1000
WAIT_SECONDS = 0.2


class Consumer:
    """One consumer of the topic, on a session of the database that is its alone."""

    def __init__(
        self, cluster: Cluster, session: Session, retry_seconds: float, file: Path = FILE
    ) -> None:
        from confluent_kafka import Consumer as Client

        self._cluster, self._session = cluster, session
        options = {**cluster.options(), **READING, "error_cb": self._note_error}
        self._client = Client({**options, "logger": quiet_logger()})
        self._assignment = Assignment(cluster, self._client, session, retry_seconds)
        self._dead_letters = DeadLetters(cluster, retry_seconds)
        self._has_untold = True
        self.counter = Counter(self._assignment.topic.name, self._assignment.lag, file)

    def run(self, until_end: bool = False) -> Statistics:
        """Consume until a signal, or until each partition was read to its end.

        Raises TidemarkError.
        """
        from confluent_kafka import KafkaException

        try:
            self._assignment.begin()
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
        while not (until_end and self._assignment.is_at_end and not self._has_untold):
            received = self._assignment.note(self._client.consume(BATCH, WAIT_SECONDS))
            if self._assignment.has_changed():
                continue
            if received:
                self._take(received)
            self._assignment.note_lost()
            if self._has_untold:
                self._tell_dead_letters()
            self.counter.lose(self._assignment.lost)
            self.counter.tick()

    def _take(self, received: Sequence[Received]) -> None:
        """Check and write a batch, and commit its offsets once the database has them."""
        now = datetime.now(UTC)
        checked = [checked_message(message, now) for message in received]
        pause_point("stream_checked")
        written = write(self._session, checked)
        pause_point("stream_written")
        self._assignment.note_written(received)
        self._assignment.commit()
        pause_point("stream_committed")
        self._has_untold = self._has_untold or written.invalid > 0
        self.counter.add(written)

    def _tell_dead_letters(self) -> None:
        """Send the references that are missing; what is not confirmed is sent again later."""
        if not self._dead_letters.is_due:
            return
        references = untold(self._session)
        confirmed = self._dead_letters.send(references)
        pause_point("stream_told")
        note_told(self._session, confirmed)
        self._has_untold = bool(references)
        self.counter.add(Written(), len(confirmed))

    def _note_error(self, error: Any) -> None:
        self._assignment.disturb(error)

    def _close(self, state: str) -> Statistics:
        self._assignment.commit()
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
