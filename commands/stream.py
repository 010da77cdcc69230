"""`stream`: customers from a topic of Kafka into the table of the web shop."""

import argparse
import secrets
from random import Random

from commands.cluster import cluster_of
from commands.endpoints import prepare_endpoints
from commands.options import add_quiet, count, one_of
from commands.stream_database import stream_database
from commands.telling import tell
from common.errors import ExitCode, SettingError, UsageError
from common.log import start_logging
from common.settings import Address, read_settings
from streaming.connection import create_tables, session
from streaming.errors import StreamError
from streaming.extra import use_extra
from streaming.settings import StreamSettings, read_stream_settings

ACTIONS = ("produce", "consume", "replay")
EXAMPLES = """\
python run.py stream produce                     simulated customers, until Ctrl-C
python run.py stream produce --messages 10000    as many, then end
python run.py stream consume                     into the table of the shop, until Ctrl-C
python run.py stream consume --until-end         what the topic has now, then end
python run.py stream replay                      what was invalid and is mended"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        nargs="?",
        choices=ACTIONS,
        type=one_of("stream", ACTIONS),
        help="what to do: produce simulated messages, consume them, or replay mended ones",
    )
    parser.add_argument(
        "--messages",
        type=count("--messages"),
        metavar="N",
        help="with produce: how many messages; default: until a signal",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="with produce: the same customers again as with this seed; every seed is printed",
    )
    parser.add_argument(
        "--until-end",
        action="store_true",
        help="with consume: end at the end that the topic has at the beginning",
    )
    add_quiet(parser, "only failures")


def call(options: argparse.Namespace) -> int:
    _refuse_contradictions(options)
    settings = read_stream_settings()
    use_extra()
    start_logging()
    actions = {"produce": _produce, "consume": _consume, "replay": _replay}
    return actions[options.action](settings, options)


def _refuse_contradictions(options: argparse.Namespace) -> None:
    if options.action is None:
        raise UsageError(
            "stream", "says nothing of what to do", f"Name one of {', '.join(ACTIONS)}."
        )
    of_action = {"messages": "produce", "seed": "produce", "until_end": "consume"}
    for name, action in of_action.items():
        if getattr(options, name) not in (None, False) and options.action != action:
            option = f"--{name.replace('_', '-')}"
            hint = f"Leave it out, or write `python run.py stream {action}`."
            raise UsageError(option, f"is for {action} alone", hint)


def _produce(settings: StreamSettings, options: argparse.Namespace) -> int:
    from streaming.producer import Producer
    from streaming.simulation import Simulation

    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    cluster = cluster_of(settings)
    producer = Producer(cluster, settings.retry_seconds)
    simulation = Simulation(Random(seed), settings.broken_percent)
    done = producer.produce(simulation.message, settings.rate, options.messages)
    if not options.quiet:
        print(f"{done.delivered} delivered, {done.rate:.0f}/s  (--seed {seed})")
    if done.undelivered:
        raise StreamError(
            f"broker {cluster.bootstrap}",
            f"{done.undelivered} messages were not delivered",
            "See the log for the reason; what was not delivered is not sent again.",
        )
    return ExitCode.DONE


def _consume(settings: StreamSettings, options: argparse.Namespace) -> int:
    from streaming.consumer import Consumer

    database = _database(settings)
    lock = f"tidemark stream {database.database}"[:64]
    with session(database, settings.retry_seconds, lock) as opened:
        consumer = Consumer(cluster_of(settings), opened, settings.retry_seconds)
        statistics = consumer.run(options.until_end)
    if not options.quiet:
        print(statistics)
    return ExitCode.DONE


def _replay(settings: StreamSettings, options: argparse.Namespace) -> int:
    from streaming.replay import replay

    with session(_database(settings), settings.retry_seconds) as opened:
        done = replay(opened)
    if not options.quiet:
        print(f"{done.applied} applied, {done.superseded} superseded by a newer version")
    if done.invalid:
        tell(
            f"{done.invalid} mended messages are still invalid\n"
            "HINT: customers_invalid has the reason of each."
        )
    return ExitCode.FAILED if done.invalid else ExitCode.DONE


def _database(settings: StreamSettings) -> Address:
    """The database that is set, or that of the embedded server, whose tables are created."""
    if settings.database:
        return settings.database
    database = stream_database(settings, prepare_endpoints(read_settings()))
    if database is None:
        raise SettingError(
            "STREAM_DATABASE_HOST",
            "not set, and the operational server is not the embedded one",
            "Set STREAM_DATABASE_… to write to a server of your own; no other is written to.",
        )
    create_tables(database, settings.retry_seconds)
    return database
