"""Aggregates over many rows of the source; a result that was cut off is detected."""

from typing import Any

import pymysql

from extract.mysql.errors import STATEMENT_CUT, error_number
from extract.mysql.session import Session


class Refused(Exception):
    """The server could not join the rows of a range into one value."""


class Aggregates:
    """Computes aggregates over rows of one table, and detects results that the server cut off."""

    def __init__(self, session: Session, qualified: str) -> None:
        self._session = session
        self._qualified = qualified
        self._has_warned = False

    def of(self, values: list[str], text: str, where: str) -> tuple[Any, ...]:
        """Aggregates of the rows that meet a condition, followed by the number of these rows.

        One of the values joins the `text` of every row, with at most one character between two
        texts. Raises Refused if the server could not return all of it.
        """
        asked, source = ", ".join([*values, "count(*)"]), self._qualified
        try:
            if not self._has_warned:
                row, warnings = self._session.row_with_warnings(
                    f"select {asked} from {source} where {where}"
                )
                if not warnings:
                    return row
            # the server warns if it cut something off, and for many other reasons
            row, _ = self._session.row_with_warnings(
                f"select {asked}, sum(octet_length({text})), count({text}),"
                " least(@@group_concat_max_len, @@max_allowed_packet)"
                f" from {source} where {where}"
            )
        except pymysql.err.Error as error:
            if error_number(error) in STATEMENT_CUT:
                raise Refused(f"statement cut by the server ({error_number(error)})") from None
            raise
        *found, rows, octets, texts, most_octets = row
        if texts != rows or int(octets or 0) + rows > most_octets:
            raise Refused("wider than the server can join")
        self._has_warned = True
        return (*found, rows)
