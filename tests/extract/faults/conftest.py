"""Two mirrored tables with changes of every kind on the way, and faults at a given point."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from common import pause
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase
from tests.support.two_tables import NAMES, ROWS, Acting, change, extract


@pytest.fixture
def tables(operational: OperationalDatabase, mirror: Mirror) -> Mirror:
    """`items` and `others`, mirrored, with changes of every kind since."""
    for name in NAMES:
        operational.execute(
            f"create table {name} (id int primary key, name varchar(200), updated_at timestamp(6)"
            " not null default current_timestamp(6) on update current_timestamp(6))"
        )
        operational.execute(
            f"insert into {name} select seq, repeat(left(sha2(seq, 256), 32), 6), '2020-01-01'"
            f" from seq_1_to_{ROWS}"
        )
    extract(mirror)
    change(operational)
    return mirror


@pytest.fixture
def acting() -> Acting:
    """Acts when an extract first comes to a pause point, which it must."""

    @contextmanager
    def acting_at(point: str, act: Callable[[], object]) -> Iterator[None]:
        acts = {point: act}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pause, "hold", lambda at: acts.pop(at, lambda: None)())
            yield
        assert not acts, f"{point} was not reached"

    return acting_at
