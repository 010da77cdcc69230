"""What the life of a domain is: a source of single writes that follow from chance alone."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from random import Random
from typing import Literal

import pymysql


@dataclass(frozen=True)
class Written:
    """One row that was written; `late` where its stamp is older than its commit."""

    kind: Literal["insert", "update", "delete"]
    late: bool = False


class Life(ABC):
    """The application of one domain at work, on a connection that it does not commit."""

    def __init__(self, connection: pymysql.Connection, chance: Random) -> None:
        self.cursor = connection.cursor()
        self.chance = chance

    @abstractmethod
    def write(self) -> Written:
        """Write one row."""
