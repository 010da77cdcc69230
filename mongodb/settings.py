"""The settings of a MongoDB that is read: its address, and how much of its time."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from common.errors import SettingError
from common.mongodb_settings import DUTY, MINUTES, MINUTES_RANGE
from common.numbers import read_number
from common.settings import PROJECT, read_password, setting_values
from common.tls import is_local

URI = re.compile(
    r"(?P<scheme>mongodb(\+srv)?)://((?P<user>[^:/?@]*)(:[^/?@]*)?@)?(?P<hosts>[^/?@]+)"
    r"/(?P<database>[^/?.\\ \"$*<>:|]+)(\?(?P<options>.*))?"
)
HINT = (
    "Set mongodb://user:password@host/database; in account and password, write each character that"
    " is no letter or digit as % and two digits: %40 for @."
)
NO_NAME = re.compile(r'[/\\. "$*<>:|?\0]')
"""The characters that the name of a database cannot have."""
OWN_DATABASES = ("admin", "config", "local")
TRUE = "true"
UNCHECKED = ("tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames")
"""Options, in lower case, by which any server could answer instead."""


@dataclass(frozen=True)
class MongoSettings:
    """The server, and how much may be asked of it.

    `place` names the server, the account and the database without the password, and `options` are
    those of the address, their names in lower case. `duty` is a share of time.
    """

    uri: str = field(repr=False)
    place: str
    database: str
    is_local: bool
    is_by_name: bool = False
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    duty: float = DUTY / 100
    longest: timedelta = timedelta(minutes=MINUTES)

    @property
    def has_tls(self) -> bool:
        """Whether what is sent is encrypted: unless the address says otherwise, if it leaves here.

        `mongodb+srv`, which asks for the hosts by a name, has it too.
        """
        for name in ("tls", "ssl"):
            if name in self.options:
                return self.options[name].lower() == TRUE
        return self.is_by_name or not self.is_local or any(o[:3] == "tls" for o in self.options)

    @property
    def is_checked(self) -> bool:
        """Whether the server must prove by its certificate that it is the right one."""
        return self.has_tls and not any(
            self.options.get(name, "").lower() == TRUE for name in UNCHECKED
        )

    @property
    def subject(self) -> str:
        """What messages call it."""
        return f"mongodb {self.place}"


def read_mongo_settings(
    environment: Mapping[str, str] = os.environ, dotenv: Path = PROJECT / ".env"
) -> MongoSettings | None:
    """The settings of the environment and of `.env`; None if no server is set.

    Raises SettingError, which never has the address, since that has a password.
    """
    values, _ = setting_values(environment, dotenv)
    if not values.get("MONGODB_URI") and not values.get("MONGODB_URI_FILE"):
        for name in ("MONGODB_DUTY", "MONGODB_MINUTES"):
            if values.get(name):
                problem = f"not set, but {name} is"
                raise SettingError("MONGODB_URI", problem, f"Set it too, or remove {name}.")
        return None
    uri = read_password(values, "MONGODB_URI").strip()
    found = URI.fullmatch(uri)
    if not found:
        problem = "is no address of a MongoDB with a database"
        raise SettingError("MONGODB_URI", problem, HINT)
    database = unquote(found["database"])
    if NO_NAME.search(database):
        problem = "has a database with a character that no name of one has"
        raise SettingError("MONGODB_URI", problem, HINT)
    if database in OWN_DATABASES:
        problem = f'"{database}" is one of the server\'s own databases'
        hint = f"Set the one of the collections, and ?authSource={database} if it has the account."
        raise SettingError("MONGODB_URI", problem, hint)
    user = f"{unquote(found['user'])}@" if found["user"] else ""
    options = parse_qsl((found["options"] or "").replace(";", "&"), keep_blank_values=True)
    return MongoSettings(
        uri,
        place=f"{user}{unquote(found['hosts'])}/{database}",
        database=database,
        is_local=all(is_local(_host(one)) for one in found["hosts"].split(",")),
        is_by_name=found["scheme"].endswith("srv"),
        options={name.lower(): value for name, value in options},
        duty=read_number(values, "MONGODB_DUTY", DUTY, range(1, 101)) / 100,
        longest=timedelta(minutes=read_number(values, "MONGODB_MINUTES", MINUTES, MINUTES_RANGE)),
    )


def _host(server: str) -> str:
    """The host of a server, which may have a port, or be the path of a socket."""
    if server.startswith("["):
        return server[1:].partition("]")[0]
    host = unquote(server)
    return host if host.startswith("/") else host.partition(":")[0]
