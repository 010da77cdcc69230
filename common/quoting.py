"""Names and texts in the SQL of PostgreSQL."""


def quoted(*names: str) -> str:
    """An identifier; of several names the qualified one, as `"mrr"."items"`."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def text_literal(value: str) -> str:
    """A literal for PostgreSQL or MySQL; the text must not contain backslashes.

    Statements that contain names of the source take no parameters, since a name may contain a %.
    """
    return "'" + value.replace("'", "''") + "'"
