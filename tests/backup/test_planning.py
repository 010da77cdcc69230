"""A dry run says what a restore then does, and refuses what it refuses."""

import shutil
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from backup import LAYERS, Plan, plan
from backup.repository.manifest import DamagedBackup
from backup.restoring.dependents import NotRestorable
from backup.server import space
from backup.server.space import NotEnoughSpace
from common.backup_settings import BackupSettings
from tests.support.backups import forge, state_of


@pytest.fixture
def foresee(warehouse, directory) -> Callable[..., Plan]:
    """Plans a restore of the newest backup into the warehouse."""

    def run(*layers: str, into: Any = warehouse, name: str | None = None) -> Plan:
        return plan(into, BackupSettings(directory), name, layers or None)

    return run


@pytest.mark.parametrize("layers", [(), ("mrr",), ("stg",), ("dwh",)], ids=str)
def test_plan_is_what_the_restore_does(layers, warehouse, ask, save, foresee, bring_back) -> None:
    role = f"reader_{time.time_ns()}"
    grant = f"grant select on stg.stg_fact_sales to {role}"
    ask(f"create role {role}; {grant}")
    save()
    ask(f"revoke all on stg.stg_fact_sales from {role}; drop role {role}")
    ask("create schema reports; create view reports.sales as select * from stg.stg_fact_sales")
    ask("update dwh.high_water_mark set read_at = '2026-03-03', high_water_mark = 'M3'")
    ask(
        "insert into dwh.high_water_mark (table_name, read_at, run_id)"
        " values ('mrr_later', now(), 'r')"
    )
    before = state_of(warehouse)
    planned = foresee(*layers)
    assert state_of(warehouse) == before
    done = bring_back(*layers)
    for name in (
        *("backup", "layers", "tables", "rows", "marks_moved", "rebuild", "views_recreated"),
        "roles_created",
    ):
        assert getattr(planned, name) == getattr(done, name), name
    assert planned.roles_created == (role,)
    ask(f"revoke all on stg.stg_fact_sales from {role}; drop role {role}")


def test_plan_names_what_will_be_gone(ask, save, foresee) -> None:
    save()
    ask('create table dwh.later (x integer); create view stg."La ter" as select 1 as x')
    assert foresee().gone == ("dwh.later", "stg.La ter")
    assert foresee("mrr").gone == ()


def test_plan_of_a_new_database_replaces_nothing(new_database, save, foresee) -> None:
    save()
    planned = foresee(into=new_database)
    assert (planned.present_rows, planned.gone, planned.views_recreated) == (0, (), ())
    assert planned.needed > 0


def test_time_is_that_of_a_verification_by_size(save, prove, foresee) -> None:
    first = save()
    assert foresee().seconds is None
    verified = prove()
    save()
    planned = foresee()
    assert planned.measured == first.path.name
    assert planned.seconds == pytest.approx(verified.seconds, rel=0.2)
    shares = [foresee(layer).seconds for layer in LAYERS]
    assert sum(shares) == pytest.approx(planned.seconds)


def test_plan_refuses_what_the_restore_refuses(warehouse, ask, save, foresee) -> None:
    saved = save()
    ask("create table public.child (id integer references mrr.mrr_fact_sales)")
    with pytest.raises(NotRestorable, match="constraint child_id_fkey"):
        foresee("mrr")
    forge(saved.path, lambda manifest: manifest["steps"].append("9999_later"))
    with pytest.raises(NotRestorable, match="newer than this one"):
        foresee()
    (saved.path / "mrr" / "toc.dat").unlink()
    with pytest.raises(DamagedBackup, match="missing"):
        foresee()


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every disk has a thousand bytes left."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 10**12 - 1000, 1000))


def test_backup_that_does_not_fit_is_refused_before_it_begins(save, directory, full_disk) -> None:
    with pytest.raises(NotEnoughSpace) as told:
        save()
    assert told.value.subject == f"backup directory {directory}"
    assert "1.0 kB (1000 bytes) are free, about " in told.value.problem
    assert f"({told.value.needed} bytes) are needed; nothing was written" in told.value.problem
    assert list(directory.iterdir()) == []


def test_backup_is_expected_to_be_as_large_as_the_one_before(
    save, directory, monkeypatch, ask
) -> None:
    saved = save()
    (database,) = ask("select pg_database_size(current_database())")[0]
    expected = saved.size / database
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, 1))
    with pytest.raises(NotEnoughSpace) as told:
        space.check_for_backup(directory, 1_000_000)
    assert told.value.needed == pytest.approx(1_000_000 * expected, rel=0.2)


def test_restore_that_does_not_fit_is_refused_before_it_begins(
    warehouse, ask, save, foresee, bring_back, prove, monkeypatch
) -> None:
    save()
    ask("delete from mrr.mrr_fact_sales where id > 400")
    before = state_of(warehouse)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 10**12 - 1000, 1000))
    for use in (foresee, bring_back, prove):
        with pytest.raises(NotEnoughSpace, match=r"1000 bytes.*are needed; nothing was written"):
            use()
    assert state_of(warehouse) == before
    assert not ask("select datname from pg_database where datname ~ '^tidemark_verify_'")


def test_restore_that_is_asked_for_by_name_is_tried_in_spite_of_an_estimate(
    ask, save, foresee, bring_back, full_disk, monkeypatch
) -> None:
    with monkeypatch.context() as room:
        room.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, 10**12))
        name = save().path.name
    ask("delete from mrr.mrr_fact_sales where id > 400")
    planned = foresee(name=name)
    assert planned.free == 1000 and planned.free < planned.needed
    (warning,) = bring_back(name=name).warnings
    assert warning.endswith("bytes) are needed; it is tried all the same")
    assert ask("select count(*) from mrr.mrr_fact_sales") == [(500,)]
