"""What the account of the warehouse may do on its server."""

from psycopg2.extensions import cursor as Cursor

from common.rows import one_row


def may(cursor: Cursor, attribute: str) -> tuple[bool, str]:
    """Whether the account has this column of pg_roles, or is a superuser; and its quoted name."""
    cursor.execute(
        f"select rolsuper or {attribute}, quote_ident(rolname) from pg_roles"
        " where rolname = current_user"
    )
    has_it, name = one_row(cursor)
    return has_it, name
