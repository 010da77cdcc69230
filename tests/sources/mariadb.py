"""A MariaDB of the tests that is newer than the machine's: Debian trixie's."""

from functools import cached_property

from embedded.mariadb import MariaDB
from embedded.programs import Programs
from tests.sources.packages import PROGRAMS, unpack, wrap


class MariaDB11(MariaDB):
    """The MariaDB that Debian's trixie has, with the accounts of the embedded one."""

    name = "mariadb-11"
    first_port = 33506

    @cached_property
    def programs(self) -> Programs:
        root = unpack(
            "trixie",
            ["mariadb-server-core", "mariadb-client-core"],
            PROGRAMS / self.name,
            alone=["mariadb-server"],
        )
        base = root / "usr"
        for program in ("bin/my_print_defaults", "bin/resolveip", "bin/mariadb"):
            wrap(root, f"usr/{program}")
        server = wrap(root, "usr/sbin/mariadbd")
        return Programs(base, server, base / "bin" / "mariadb-install-db", base / "bin")
