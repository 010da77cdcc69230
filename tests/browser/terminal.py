"""A terminal as an SVG."""

from itertools import dropwhile
from xml.sax.saxutils import escape

COLUMNS = 140
WIDTH, HEIGHT, MARGIN = 8.43, 19, 18
"""Of a character, of a line, and around the text, in pixels."""
SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" \
aria-labelledby="title text">
  <title id="title">{command} in a terminal</title>
  <desc id="text">What the command printed: a row for each table, with the rows that were read,
    compared, inserted, updated and deleted, and a line with the sum.</desc>
  <style>
    rect {{ fill: #12181e; }}
    text {{
      font: 14px ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace;
      fill: #e8edf2; white-space: pre;
    }}
    .prompt {{ fill: #62b5d0; }}
  </style>
  <rect width="{width:.0f}" height="{height}" rx="8"/>
{lines}
</svg>
"""


def terminal(command: str, said: str) -> str:
    """The command behind a prompt, and what it printed, in lines of COLUMNS characters."""
    lines = [f"$ {command}", ""]
    for line in dropwhile(lambda line: not line.strip(), said.rstrip().splitlines()):
        parts = [line[start : start + COLUMNS] for start in range(0, len(line), COLUMNS)]
        lines += [part.rstrip() for part in parts] or [""]
    width, height = COLUMNS * WIDTH + 2 * MARGIN, len(lines) * HEIGHT + 2 * MARGIN
    return SVG.format(
        command=escape(command),
        width=width,
        height=height,
        lines="\n".join(_line(number, line) for number, line in enumerate(lines) if line),
    )


def _line(number: int, line: str) -> str:
    kind = ' class="prompt"' if number == 0 else ""
    length = f'textLength="{len(line) * WIDTH:.1f}" lengthAdjust="spacingAndGlyphs"'
    place = f'x="{MARGIN}" y="{MARGIN + (number + 1) * HEIGHT - 5}"'
    return f'  <text {place} {length} xml:space="preserve"{kind}>{escape(line)}</text>'
