"""Geometries as text and as WKB, made without either server."""

from collections.abc import Iterable
from dataclasses import dataclass
from struct import pack

CODES = ("POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON")
CODES += ("GEOMETRYCOLLECTION",)


@dataclass(frozen=True)
class Shape:
    """A geometry: its name, and what stands between its parentheses as text and as bytes."""

    name: str
    inner: str
    body: bytes

    @property
    def text(self) -> str:
        return f"{self.name}({self.inner})"

    @property
    def wkb(self) -> bytes:
        return pack("<BI", 1, CODES.index(self.name) + 1) + self.body

    def literal(self, srid: int) -> str:
        """The source's expression of it."""
        return f"st_geomfromtext('{self.text}', {srid})"

    def octets(self, srid: int) -> str:
        """The bytes that the source keeps of it, as PostgreSQL writes them."""
        return "\\x" + (pack("<I", srid) + self.wkb).hex()


def point(x: float, y: float) -> Shape:
    return Shape("POINT", f"{x!r} {y!r}", pack("<dd", x, y))


def line(*points: Shape) -> Shape:
    return Shape("LINESTRING", _listed(points), _counted(part.body for part in points))


def polygon(*rings: Shape) -> Shape:
    return Shape("POLYGON", _nested(rings), _counted(ring.body for ring in rings))


def multipoint(*points: Shape) -> Shape:
    return Shape("MULTIPOINT", _listed(points), _counted(part.wkb for part in points))


def multi(*shapes: Shape) -> Shape:
    """A MULTILINESTRING of lines, a MULTIPOLYGON of polygons."""
    return Shape(f"MULTI{shapes[0].name}", _nested(shapes), _counted(part.wkb for part in shapes))


def collection(*shapes: Shape) -> Shape:
    inner = ",".join(shape.text for shape in shapes)
    return Shape("GEOMETRYCOLLECTION", inner, _counted(shape.wkb for shape in shapes))


def _listed(shapes: tuple[Shape, ...]) -> str:
    return ",".join(shape.inner for shape in shapes)


def _nested(shapes: tuple[Shape, ...]) -> str:
    return ",".join(f"({shape.inner})" for shape in shapes)


def _counted(parts: Iterable[bytes]) -> bytes:
    parts = list(parts)
    return pack("<I", len(parts)) + b"".join(parts)
