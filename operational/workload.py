"""The interface of a domain's workload: operations that depend only on a random source."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from random import Random
from typing import Literal

import pymysql

Kind = Literal["insert", "update", "delete"]


@dataclass(frozen=True)
class Written:
    """One row that was written; `late` if its stamp is before its commit.

    `transaction` is its key, if it is a transaction of the e-wallet.
    """

    kind: Kind
    late: bool = False
    transaction: str | None = None


class Workload(ABC):
    """The workload of one domain, on a connection that it does not commit."""

    def __init__(self, connection: pymysql.Connection, chance: Random) -> None:
        self.cursor = connection.cursor()
        self.chance = chance

    @abstractmethod
    def write(self) -> list[Written]:
        """Do one operation; returns the rows that it wrote."""
