"""Results as tables on standard output."""

import sys

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

FIGURE = 9
"""A text of up to this many characters is never folded, however narrow the terminal is."""


class PlainTable(Table):
    """A table whose cells are text, not markup of rich, since a name may contain a bracket."""

    def __init__(self, *columns: str) -> None:
        super().__init__(box=box.SIMPLE, pad_edge=False)
        for column in columns:
            self.add_column(column, overflow="fold")

    def add_texts(self, *cells: str) -> None:
        """Add a row."""
        self.add_row(*map(Text, cells))

    def fit(self, console: Console) -> None:
        """If the console is narrow, leave out blanks, and fold only long texts."""
        as_wide_as_it_likes = console.options.update(max_width=10_000)
        if Measurement.get(console, as_wide_as_it_likes, self).maximum <= console.width:
            return
        self.padding = 0
        self.show_edge = False
        for column in self.columns:
            texts = [str(text) for text in (column.header, *column.cells)]
            column.no_wrap = all(len(text) <= FIGURE for text in texts)


def show(table: PlainTable, console: Console | None = None) -> None:
    """Print a table, in the width of the terminal if there is one."""
    console = console or (Console() if sys.stdout.isatty() else Console(width=200))
    table.fit(console)
    console.print(table)
