"""The commands beside the run, as a user starts them: on embedded servers, and on others."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.checkouts import Checkout
from tests.support.command_line import CommandLine, check_told


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = Checkout(tmp_path_factory.mktemp("commands") / "project")
    yield made
    made.run("down")


def test_servers_go_up_and_down(checkout: Checkout) -> None:
    up = checkout.run("up")
    assert up.returncode == 0, up.stderr
    assert [line.split()[0] for line in up.stdout.splitlines()] == ["operational", "warehouse"]
    assert checkout.run("up").stdout == up.stdout
    assert checkout.run("down").stdout == "stopped mariadb, postgresql\n"
    assert checkout.run("down").stdout == "nothing was running\n"


def test_misspelled_domain_of_the_demo_starts_no_server(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(checkout.shell, "DEMO_DOMAINS", "sale")
    check_told(checkout.run("up"), 2, 'DEMO_DOMAINS: no domain of the demo has the name "sale"')
    assert checkout.run("down").stdout == "nothing was running\n"


def test_database_is_created_for_a_dump_that_the_shell_loads(checkout: Checkout) -> None:
    up = checkout.run("up", "--database", "my shop")
    assert up.returncode == 0, up.stderr
    before, _, commands = up.stdout.partition("Load a dump into it, as in\n")
    assert "database my shop: created" in before
    (checkout.folder / "dump.sql").write_text(
        "create table orders (id int primary key, note text); insert into orders values (7, 'x');"
    )
    # as in the checkout's folder, where `python` is that of its .venv
    python = f'python() {{ {shlex.quote(sys.executable)} "$@"; }}\n'
    loaded = subprocess.run(
        ["bash", "-ec", python + commands],
        cwd=checkout.folder,
        env=checkout.shell,
        capture_output=True,
        text=True,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr
    assert "mrr_dim_my_shop_orders" in loaded.stdout
    again = checkout.run("up", "--database", "my shop")
    assert "database my shop: exists already; its tables were left as they are" in again.stdout
    for layer in ("mrr", "stg"):
        shutil.rmtree(checkout.folder / "dbt_project" / "models" / layer / "my_shop")


def test_status_before_the_first_run_says_how_to_begin(command_line: CommandLine) -> None:
    done = command_line.run("status")
    assert (done.returncode, done.stdout) == (
        0,
        "nothing has run yet\nHINT: Start with `python run.py`.\n",
    )


def test_doctor_finds_nothing_wrong_with_new_servers(checkout: Checkout) -> None:
    done = checkout.run("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for subject in (
        "operational tidemark_reader@",
        "warehouse tidemark@",
        "mrr_fact_sales",
        "disk",
    ):
        assert f" ok   {subject}" in done.stdout
    assert " !! " not in done.stdout


def test_shell_of_env_reaches_both_servers(checkout: Checkout) -> None:
    commands = (
        "psql -Atc 'select current_user'",
        "mariadb --no-defaults --host=$OPERATIONAL_HOST --port=$OPERATIONAL_PORT"
        " --user=$OPERATIONAL_ADMIN_USER --password=$OPERATIONAL_ADMIN_PASSWORD -N sales"
        " -e 'select current_user()'",
        "dbt debug --quiet",
    )
    done = subprocess.run(
        [
            "sh",
            "-c",
            'eval "$("$0" "$1" env --role owner)" && ' + " && ".join(commands),
            *checkout.program,
        ],
        env=checkout.shell,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "tidemark\napplication@127.0.0.1\n"), (
        done.stdout + done.stderr
    )


@pytest.mark.parametrize(
    ("options", "left"),
    [
        pytest.param("", "OPERATIONAL_PASSWORD OPERATIONAL_SHOP_PASSWORD", id="dbt and sources"),
        pytest.param("--role analyst", "", id="a role that reads no source"),
    ],
)
def test_env_leaves_no_setting_that_contradicts_what_it_prints(
    options: str, left: str, command_line: CommandLine, tmp_path: Path
) -> None:
    """A shell that has its passwords in files can go on after it, and so can `.env` after that."""
    passwords = tmp_path / "reader", tmp_path / "owner"
    for file, address in zip(passwords, command_line.addresses, strict=True):
        file.write_text(address.password)
    (command_line.folder / ".env").write_text(
        f"WAREHOUSE_USER={command_line.addresses[1].user}\nWAREHOUSE_PASSWORD_FILE={passwords[1]}\n"
    )
    run = f"{shlex.quote(sys.executable)} {shlex.quote(str(command_line.folder / 'run.py'))}"
    done = command_line.shell(
        "set -e; unset OPERATIONAL_PASSWORD WAREHOUSE_PASSWORD WAREHOUSE_USER\n"
        "export OPERATIONAL_DUTY=30 OPERATIONAL_SNAPSHOT_SECONDS=1 OPERATIONAL_SHOP_DUTY=30"
        " OPERATIONAL_SHOP_HOST=shop OPERATIONAL_SHOP_USER=r WAREHOUSE_ANALYST_USER=ana"
        f" OPERATIONAL_PASSWORD_FILE={passwords[0]} OPERATIONAL_SHOP_PASSWORD_FILE={passwords[0]}"
        f" WAREHOUSE_PASSWORD_FILE={passwords[1]} WAREHOUSE_ANALYST_PASSWORD_FILE={passwords[1]}\n"
        f'eval "$({run} env {options})"\n'
        "env | grep -Eo '^(OPERATIONAL_.*|WAREHOUSE_)PASSWORD(_FILE)?=' | sort\n"
        "echo ${OPERATIONAL_HOST+host}${OPERATIONAL_DUTY+duty}${OPERATIONAL_SHOP_DUTY+shop}\n"
        # no declaration names it
        f"unset ${{!OPERATIONAL_SHOP_*}}; {run} status"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *names, others, _told, _hint = done.stdout.splitlines()
    assert [name[:-1] for name in names] == [*left.split(), "WAREHOUSE_PASSWORD"]
    assert others == ("hostdutyshop" if left else "")


def test_simulate_writes_what_a_seed_says(checkout: Checkout) -> None:
    done = checkout.run("simulate", "--operations", "20", "--seed", "7")
    assert done.returncode == 0, done.stderr
    counts = [int(word) for word in done.stdout.split() if word.isdigit()]
    assert sum(counts[:3]) == 20
    assert done.stdout.endswith("(--seed 7)\n")
    wrong = checkout.run("simulate", "--domain", "sale")
    check_told(wrong, 2, "domain sale: has no workload")
    assert "Did you mean sales?" in wrong.stderr


def test_simulate_adds_a_history_and_lets_the_shop_live_on(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(checkout.shell, "DEMO_DOMAINS", "ecommerce")
    done = checkout.run("simulate", "--domain", "ecommerce", "--size", "40", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert "40 orders, " in done.stdout
    assert done.stdout.endswith("28 of 28 rules hold  (--seed 3)\n")
    lived = checkout.run("simulate", "--domain", "ecommerce", "--operations", "20")
    assert lived.returncode == 0 and "0 of them late" in lived.stdout, lived.stderr


@pytest.mark.slow
def test_quiet_commands_say_nothing_where_all_is_well(checkout: Checkout) -> None:
    for command in ("up", "doctor", "", "verify", "backup", "simulate", "restore"):
        done = checkout.run(*command.split(), "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), command
    told = checkout.run("status").stdout
    for process in ("run", "verify", "backup", "restore"):
        assert f" {process:<9} success " in told


@pytest.mark.slow
def test_backup_outlives_a_disaster_in_the_shell_of_before(checkout: Checkout) -> None:
    """The shell has the addresses and passwords of servers that are gone."""
    checkout.eval_env()
    assert checkout.run().returncode == 0
    saved = checkout.run("backup", "--verify")
    assert saved.returncode == 0, saved.stderr
    assert "restored beside the warehouse" in saved.stdout
    told = checkout.run("status").stdout
    assert " backup verify   success " in told
    assert "last verified backup  20" in told and " s, restored in " in told
    listed = checkout.run("backup", "--list").stdout
    assert " mrr stg dwh " in listed and " no " in listed and " s ago" in listed
    planned = checkout.run("restore", "--dry-run").stdout
    assert " s, as measured by the verification of " in planned
    assert planned.endswith("\nnothing was changed\n")
    assert checkout.run("down").returncode == 0
    shutil.rmtree(checkout.local / "servers")

    restored = checkout.run("restore")
    assert restored.returncode == 0, restored.stderr
    assert checkout.run().returncode == 0
    after = checkout.run("status").stdout
    last = next(line for line in told.splitlines() if line.startswith("last backup"))
    assert last[: len("last backup  2026-01-01 00:00")] in after
    assert " backup    success " in after
    assert "ended without closing its row" not in after


def test_address_of_another_checkout_is_not_taken_for_ones_own(
    checkout: Checkout, tmp_path: Path
) -> None:
    checkout.eval_env()
    other = Checkout(tmp_path / "other")
    other.shell = dict(checkout.shell)
    looked = other.run("status")
    assert looked.returncode == 0, looked.stderr
    assert not (other.local / "servers").exists()


def test_doctor_names_each_server_that_does_not_answer(
    command_line: CommandLine, free_port: int
) -> None:
    port = str(free_port)
    done = command_line.run("doctor", OPERATIONAL_PORT=port, WAREHOUSE_PORT=port)
    assert done.returncode == 1
    assert done.stdout.count(" !! ") == 2
    assert f"operational tidemark_reader@127.0.0.1:{port}" in done.stdout
    assert f"warehouse tidemark@127.0.0.1:{port}" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_status_of_a_warehouse_that_is_down_is_told(
    command_line: CommandLine, free_port: int
) -> None:
    check_told(command_line.run("status", WAREHOUSE_PORT=str(free_port)), 1, "no connection")


def test_status_tells_marks_runs_and_what_failed(command_line: CommandLine, free_port: int) -> None:
    assert command_line.run("--quiet").returncode == 0
    failed = command_line.run("verify", "--quiet", OPERATIONAL_PORT=str(free_port))
    check_told(failed, 1, "no connection")
    told = command_line.run("status").stdout
    for name in ("mrr_fact_sales", "mrr_dim_customers", "mrr_dim_products"):
        (line,) = [line for line in told.splitlines() if line.startswith(f" {name} ")]
        assert line.rstrip().endswith("yes")
    runs = [line for line in told.splitlines() if " run " in line or " verify " in line]
    assert [line.split()[1:3] for line in runs[-2:]] == [["verify", "error"], ["run", "success"]]
    assert f"@127.0.0.1:{free_port}: no connection" in told
    assert "last backup  none yet" in told
    assert "no run mirrors" not in told
    status = command_line.run("status", DEMO_DOMAINS="media").stdout
    assert "no run mirrors these any more" in status
    assert "switched off: mrr_dim_customers, mrr_dim_products, mrr_fact_sales\nHINT: " in status


def test_table_that_is_switched_off_is_told_apart_from_one_that_is_not_declared(
    command_line: CommandLine,
) -> None:
    told = command_line.run("plan", "--table", "mrr_fact_sales", DEMO_DOMAINS="media")
    check_told(told, 2, "table mrr_fact_sales: is switched off by DEMO_DOMAINS")
    told = command_line.run("plan", "--table", "mrr_fact_sales", DEMO_DOMAINS="off")
    check_told(told, 2, "Name its domain there: DEMO_DOMAINS=sales.")
    file = command_line.folder / "dbt_project/models/mrr/sales/_mrr_sales__sources.yml"
    text = file.read_text("utf-8")
    meta = "          meta:\n            operational_table: sales\n"
    assert meta in text
    file.write_text(text.replace(meta, f"          enabled: false\n{meta}"), "utf-8")
    told = command_line.run("plan", "--table", "mrr_fact_sales")
    check_told(told, 2, "table mrr_fact_sales: its declaration says `enabled: false`")


def test_quiet_command_tells_what_is_wrong(command_line: CommandLine, free_port: int) -> None:
    looked = command_line.run("doctor", "--quiet", OPERATIONAL_PORT=str(free_port))
    assert looked.returncode == 1
    assert looked.stdout.count(" !! ") == 1
    assert " ok " not in looked.stdout
    compared = command_line.run("verify", "--quiet", "--table", "mrr_fact_sales")
    check_told(compared, 1, "mrr_fact_sales: not mirrored yet")
    assert compared.stdout == ""


def test_verbose_command_shows_its_log(command_line: CommandLine) -> None:
    compared = command_line.run("verify", "--verbose", "--table", "mrr_fact_sales")
    assert "INFO verify verify: started\n" in compared.stderr
    assert "INFO verify verify: error in " in compared.stderr
    assert "INFO verify" not in command_line.run("verify", "--table", "mrr_fact_sales").stderr
    log = (command_line.folder / ".local/logs/tidemark.log").read_text("utf-8")
    assert log.count("verify verify: started") == 2
