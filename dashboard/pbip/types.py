"""The types of PostgreSQL, and what a column of each is in Power BI."""

import re
from dataclasses import dataclass

FIXED_DIGITS = 4
"""Power BI's fixed decimal number has so many digits after the point."""


@dataclass(frozen=True)
class PowerBiType:
    """The type of a column in the model and in M, and how its values are written."""

    model: str
    query: str
    format: str = ""

    @property
    def is_number(self) -> bool:
        return self.model in ("int64", "decimal", "double")


WHOLE = PowerBiType("int64", "Int64.Type", "0")
FIXED = PowerBiType("decimal", "Currency.Type", "#,0.00")
FLOATING = PowerBiType("double", "type number", "#,0.00")
TEXT = PowerBiType("string", "type text")
DAY = PowerBiType("dateTime", "type date", "yyyy-mm-dd")
TIME = PowerBiType("dateTime", "type datetime", "yyyy-mm-dd hh:nn")
LOGICAL = PowerBiType("boolean", "type logical")

TYPES = {
    **dict.fromkeys(("smallint", "integer", "int", "bigint"), WHOLE),
    **dict.fromkeys(("real", "double precision"), FLOATING),
    **dict.fromkeys(("text", "varchar", "character varying", "uuid"), TEXT),
    "date": DAY,
    **dict.fromkeys(("timestamptz", "timestamp with time zone"), TIME),
    "boolean": LOGICAL,
}
"""The types without their lengths; `numeric` depends on its scale. A column of another type, such
as an array or bytes, is left out."""


def power_bi_type(data_type: str) -> PowerBiType | None:
    """What a column of a type of PostgreSQL is in Power BI; None if it is nothing there."""
    name = data_type.lower().partition("(")[0].strip()
    numbers = re.findall(r"\d+", data_type)
    if name in ("numeric", "decimal"):
        scale = int(numbers[1]) if len(numbers) > 1 else 0
        return FIXED if numbers and scale <= FIXED_DIGITS else FLOATING
    return TYPES.get(name)
