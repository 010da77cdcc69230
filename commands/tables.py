"""Results as tables on standard output."""

import sys

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


class PlainTable(Table):
    """A table whose cells are text, not rich's markup: a name may hold a bracket."""

    def __init__(self, *columns: str) -> None:
        super().__init__(box=box.SIMPLE, pad_edge=False)
        for column in columns:
            self.add_column(column, overflow="fold")

    def add_texts(self, *cells: str) -> None:
        """A row of the table."""
        self.add_row(*map(Text, cells))


def show(table: Table) -> None:
    """Print a table, in the width of the terminal where there is one."""
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)
