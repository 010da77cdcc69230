"""The topics: created with their retention if they are missing, and known by their ids."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from streaming.errors import StreamError
from streaming.messages import DEAD_LETTERS, TOPIC, Partition
from streaming.settings import Cluster

GROUP = "tidemark"
"""The group under which Kafka knows the offsets; partitions are assigned, nobody joins it."""
READING = {
    "group.id": GROUP,
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "max.poll.interval.ms": 86_400_000,
    "reconnect.backoff.max.ms": 2000,
}
"""The options of every client that reads."""
PRODUCING = {
    "acks": "all",
    "enable.idempotence": True,
    "max.in.flight.requests.per.connection": 1,
    "reconnect.backoff.max.ms": 2000,
}
"""The options of every client that writes. One request at a time: Tansu confuses several."""
RETENTION = {TOPIC: timedelta(days=7), DEAD_LETTERS: timedelta(days=30)}
PARTITIONS = 3
DEFAULT_REPLICATION = -1
"""The broker's own, `default.replication.factor`."""
SECONDS = 15


@dataclass(frozen=True)
class Topic:
    """A topic of the cluster. One that is created again has another id."""

    name: str
    topic_id: str
    partitions: tuple[Partition, ...]


def ensure_topics(cluster: Cluster) -> Topic:
    """Create the topics that are missing; returns that of the customers. Raises StreamError."""
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({**cluster.options(), "logger": quiet_logger()})
    wanted = [
        NewTopic(
            name,
            num_partitions=PARTITIONS,
            replication_factor=DEFAULT_REPLICATION,
            config={"retention.ms": str(int(kept.total_seconds() * 1000))},
        )
        for name, kept in RETENTION.items()
        if describe(admin, cluster, name) is None
    ]
    if wanted:
        for name, created in admin.create_topics(wanted, operation_timeout=SECONDS).items():
            try:
                created.result(SECONDS)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise stream_error(cluster, error, f"topic {name} cannot be created") from None
    found = describe(admin, cluster, TOPIC)
    if found is None:
        hint = "Create it, or start the command again."
        raise StreamError(f"topic {TOPIC}", "the brokers do not know it yet", hint)
    return found


def describe_topic(cluster: Cluster, name: str) -> Topic | None:
    """A topic as it is now; None if there is none. Raises StreamError."""
    from confluent_kafka.admin import AdminClient

    return describe(AdminClient({**cluster.options(), "logger": quiet_logger()}), cluster, name)


def describe(admin: Any, cluster: Cluster, name: str) -> Topic | None:
    """A topic, by a client that administers, whose class the extra has. Raises StreamError."""
    from confluent_kafka import KafkaError, KafkaException, TopicCollection

    described = admin.describe_topics(TopicCollection([name]), request_timeout=SECONDS)[name]
    try:
        found = described.result(SECONDS + 5)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise stream_error(cluster, error, "does not answer") from None
    topic_id = str(found.topic_id)
    numbers = sorted(partition.id for partition in found.partitions)
    return Topic(name, topic_id, tuple(Partition(name, topic_id, number) for number in numbers))


def stream_error(cluster: Cluster, error: Any, problem: str) -> StreamError:
    """The error of a broker, as one with a message for users."""
    said = error.args[0].str() or error.args[0].name()
    hint = "Check KAFKA_BOOTSTRAP and how to log in, and that a broker runs there."
    return StreamError(f"broker {cluster.bootstrap}", f"{problem} ({said})", hint)


def quiet_logger() -> Any:
    """Where the client's own lines go: to the log of the command, not to standard error."""
    from common.log import get_logger

    return get_logger("streaming.kafka")
