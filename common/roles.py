"""The roles of the warehouse, and the settings of their accounts."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from common.errors import SettingError

if TYPE_CHECKING:
    from common.settings import Address

ROLES = {
    "loader": "reads the source and writes the mirror",
    "transformer": "builds stg and dwh from it, with dbt",
    "analyst": "reads dwh",
    "backup": "reads every layer",
}
"""Each role and what it does."""
OWNER = "owner"
"""The account of WAREHOUSE_USER, which owns the database, the schemas and the control tables."""

NAME_BYTES = 63
PARTS = ("USER", "PASSWORD", "PASSWORD_FILE")
ALONE = (
    "Give each role an account of its own, or none. If `env` has set WAREHOUSE_USER in this shell,"
    " set that of the owner again, or write it into .env."
)

Values = Mapping[str, str]


BY_DEFAULT = "; default: WAREHOUSE_USER"


def role_setting(role: str, part: str) -> str:
    """The name of a setting of a role, such as `WAREHOUSE_LOADER_USER`."""
    return f"WAREHOUSE_{role.upper()}_{part}"


ROLE_SETTINGS = {
    role_setting(role, part): text
    for role, does in ROLES.items()
    for part, text in (
        ("USER", f"the account that {does}{'' if role == 'analyst' else BY_DEFAULT}"),
        ("PASSWORD", f"its password (or {role_setting(role, 'PASSWORD_FILE')})"),
    )
}
"""The settings of the roles, and their meanings."""


def without_printed_account(environment: Values, dotenv: Values) -> Values:
    """The environment without the account of a role that `env` has printed as WAREHOUSE_USER.

    The owner's is in `.env` then; if it is not, the loader's takes its place.
    """
    known = {**dotenv, **environment}
    accounts = {known.get(role_setting(role, "USER")) for role in ROLES} - {None, ""}
    is_known_otherwise = dotenv.get("WAREHOUSE_USER") or known.get(role_setting("loader", "USER"))
    if environment.get("WAREHOUSE_USER") not in accounts or not is_known_otherwise:
        return environment
    printed = {f"WAREHOUSE_{part}" for part in PARTS}
    return {name: value for name, value in environment.items() if name not in printed}


def with_owner(values: Values) -> Values:
    """The settings of the warehouse; if that of the owner is not set, the loader's instead."""
    if values.get("WAREHOUSE_USER") or not values.get("WAREHOUSE_HOST"):
        return values
    instead = {f"WAREHOUSE_{part}": values.get(role_setting("loader", part), "") for part in PARTS}
    return {**values, **instead} if instead["WAREHOUSE_USER"] else values


def read_roles(
    values: Values, warehouse: "Address | None", read_password: Callable[[Values, str], str]
) -> "dict[str, Address]":
    """The address of each role that has an account of its own. Raises SettingError."""
    roles: dict[str, Address] = {}
    users = {"WAREHOUSE_USER": values.get("WAREHOUSE_USER")}
    for role in ROLES:
        names = [role_setting(role, part) for part in PARTS]
        given = [name for name in names if values.get(name)]
        if not given:
            continue
        if warehouse is None:
            raise SettingError(
                "WAREHOUSE_HOST",
                f"not set, but {given[0]} is",
                "Set WAREHOUSE_HOST too, or none of them to use the embedded server.",
            )
        user = values.get(names[0])
        if not user:
            raise SettingError(names[0], f"not set, but {given[0]} is", "Set both, or neither.")
        if len(user.encode()) > NAME_BYTES:
            raise SettingError(
                names[0],
                f'"{user}" has {len(user.encode())} bytes',
                f"PostgreSQL cuts names after {NAME_BYTES}: choose a shorter one.",
            )
        for name, other in users.items():
            if user == other:
                raise SettingError(names[0], f'"{user}" is the account of {name} too', ALONE)
        users[names[0]] = user
        roles[role] = replace(warehouse, user=user, password=read_password(values, names[1]))
    return roles
