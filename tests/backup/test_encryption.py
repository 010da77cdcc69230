"""Encrypted backups: whoever has the private key can restore them, and nobody else read them."""

import json
import pickle
import resource
import shutil
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from pyrage import decrypt, x25519

from backup import LAYERS, list_backups
from backup.repository.backup import ENCRYPTED_MANIFEST
from backup.repository.encryption import Key, WrongKey
from backup.repository.manifest import DamagedBackup
from common.backup_settings import BackupSettings, read_backup_settings
from common.errors import SettingError
from common.settings import PROJECT
from tests.support.backups import DUMP, empty, flip_byte, forge, state_of

SECRET = "canary-of-a-name"


@pytest.fixture
def identity() -> x25519.Identity:
    return x25519.Identity.generate()


@pytest.fixture
def key_file(identity: x25519.Identity, tmp_path: Path) -> Path:
    """The private key as `age-keygen` writes it."""
    path = tmp_path / "key.txt"
    path.write_text(f"# public key: {identity.to_public()}\n{identity}\n")
    return path


@pytest.fixture
def save_encrypted(save, identity):
    """Backs the warehouse up, encrypted; one table contains a secret."""
    return lambda **settings: save(recipients=(str(identity.to_public()),), **settings)


def describe_again(backup: Path, name: str) -> None:
    """Let the cover say that the file is as it is now."""
    data = (backup / name).read_bytes()
    described = {"size": len(data), "sha256": sha256(data).hexdigest()}
    forge(backup, lambda cover: cover["files"].update({name: described}))


@pytest.mark.parametrize("jobs", [1, 2])
def test_encrypted_backup_is_restored_with_the_private_key(
    jobs, warehouse, new_database, save_encrypted, bring_back, prove, key_file
) -> None:
    saved = save_encrypted(jobs=jobs)
    before = state_of(warehouse)
    assert bring_back(into=new_database, identity_file=key_file).rows == saved.rows
    assert state_of(new_database) == before
    assert prove(identity_file=key_file).rows == saved.rows
    empty(warehouse)
    bring_back(identity_file=key_file)
    assert state_of(warehouse) == before


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_of_an_encrypted_backup_is_restored_alone(
    layer, ask, save_encrypted, bring_back, key_file
) -> None:
    table = {"mrr": "mrr.mrr_fact_sales", "stg": "stg.kept", "dwh": "dwh.dwh_fact_sales"}[layer]
    ask("create table stg.kept as select 1 as x")
    before = ask(f"select * from {table} as t order by t")
    save_encrypted()
    ask(f"delete from {table}")
    assert bring_back(layer, identity_file=key_file).layers == (layer,)
    assert ask(f"select * from {table} as t order by t") == before


def test_encrypted_backup_shows_no_value_no_table_and_no_role(
    ask, save_encrypted, key_file, directory
) -> None:
    ask("create table mrr.mrr_canary_table (name text)")
    ask("insert into mrr.mrr_canary_table select %s from generate_series(1, 10)", SECRET)
    saved = save_encrypted()
    words = [SECRET, "mrr_fact_sales", "mrr_canary_table", "pg_monitor", "CREATE ROLE"]
    for path in saved.path.rglob("*"):
        data = path.read_bytes()
        assert not [word for word in words if word.encode() in data], path.name
        # a manifest, or an encrypted file: nothing that could be compressed
        assert path.name.startswith("manifest.") or data.startswith(b"age-encryption.org/v1")
    (listed,) = list_backups(directory)
    assert listed.summary is not None and listed.summary.is_encrypted
    assert (listed.summary.tables, listed.summary.rows) == (saved.tables, saved.rows)


def test_nothing_but_encrypted_files_is_written_while_a_backup_is_made(
    warehouse, directory, servers, identity, ask
) -> None:
    """The process may be killed at any moment: what is in its folder then is encrypted too."""
    ask("insert into mrr.mrr_fact_sales select n, 1, %s from generate_series(501, 50000) n", SECRET)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    process = Popen(
        [sys.executable, "-c", KEPT + DUMP], cwd=PROJECT, stdin=PIPE, stderr=PIPE, preexec_fn=limit
    )
    settings = BackupSettings(directory, recipients=(str(identity.to_public()),))
    _, told = process.communicate(pickle.dumps((warehouse, settings, servers.programs, "run-3")))
    assert process.returncode == 1
    assert "File too large" in told.decode()
    (partial,) = directory.iterdir()
    files = [path for path in partial.rglob("*") if path.is_file()]
    assert files
    assert {path.read_bytes()[:21] for path in files} == {b"age-encryption.org/v1"}


def test_no_program_of_a_backup_or_restore_writes_into_a_temporary_file(
    save_encrypted, bring_back, key_file, monkeypatch, tmp_path
) -> None:
    """The list of a dump names tables, and messages of the programs show values."""
    opened = []
    for name in ("TemporaryFile", "SpooledTemporaryFile", "mkstemp", "mkdtemp"):
        monkeypatch.setattr(tempfile, name, opened.append)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    save_encrypted()
    assert opened == []
    (tmp_path / "nowhere").mkdir()
    bring_back(identity_file=key_file)
    assert opened == []


KEPT = "import shutil; shutil.rmtree = lambda path: None; "
"""What a failed backup removes is kept, so that it can be looked at."""


def test_any_of_several_private_keys_opens_a_backup(save, bring_back, tmp_path) -> None:
    people = [x25519.Identity.generate() for _ in range(3)]
    save(recipients=tuple(str(person.to_public()) for person in people[:2]))
    for person in people[:2]:
        (tmp_path / "key").write_text(f"{people[2]}\n\n{person}\n")
        bring_back("stg", identity_file=tmp_path / "key")


def test_wrong_key_is_refused_before_anything_changes(
    warehouse, ask, save_encrypted, bring_back, prove, tmp_path
) -> None:
    saved = save_encrypted()
    ask("delete from mrr.mrr_fact_sales where id > 400")
    before = state_of(warehouse)
    other = tmp_path / "other"
    other.write_text(str(x25519.Identity.generate()))
    for use in (bring_back, prove):
        with pytest.raises(WrongKey, match=f"backup {saved.path.name}: no private key in {other}"):
            use(identity_file=other)
    assert state_of(warehouse) == before
    assert not ask("select datname from pg_database where datname ~ '^tidemark_verify_'")


def test_missing_key_is_refused_before_anything_changes(
    warehouse, save_encrypted, bring_back, prove
) -> None:
    saved = save_encrypted()
    before = state_of(warehouse)
    told = f"BACKUP_AGE_IDENTITY_FILE: not set, but backup {saved.path.name} is encrypted"
    for use in (bring_back, prove):
        with pytest.raises(SettingError, match=told):
            use()
    assert state_of(warehouse) == before


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(None, "cannot be read", id="missing"),
        pytest.param("", "contains something else than private keys", id="empty"),
        pytest.param("# nothing", "contains something else than", id="comment"),
        pytest.param("AGE-SECRET-KEY-1XYZ", "contains an invalid private key", id="short"),
        pytest.param("age1xyz", "contains something else than", id="public key"),
        pytest.param("age-encryption.org/v1\n", "is encrypted with a pass", id="passphrase"),
    ],
)
def test_file_without_a_private_key_is_told(text, problem, tmp_path) -> None:
    file = tmp_path / "key"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingError, match=problem) as told:
        Key.read(file)
    assert "XYZ" not in str(told.value)


OUTSIDE = {"size": 1, "sha256": ""}
DAMAGES = {
    "altered byte": lambda b: flip_byte(b / "mrr.dump.age"),
    "altered byte in roles": lambda b: flip_byte(b / "roles.sql.age"),
    "short": lambda b: (b / "dwh.dump.age").open("r+b").truncate(500),
    "empty": lambda b: (b / "dwh.dump.age").open("wb").close(),
    "missing layer": lambda b: (b / "stg.dump.age").unlink(),
    "missing manifest": lambda b: (b / ENCRYPTED_MANIFEST).unlink(),
    "wrong layer": lambda b: shutil.copy(b / "mrr.dump.age", b / "dwh.dump.age"),
    "altered cover": lambda b: flip_byte(b / "manifest.json"),
    "cover without manifest": lambda b: forge(b, lambda m: m["files"].pop(ENCRYPTED_MANIFEST)),
    "cover with other rows": lambda b: forge(b, lambda m: m["summary"].update(rows=1)),
    "cover that leaves": lambda b: forge(b, lambda m: m["files"].update({"../x": OUTSIDE})),
    "unknown format": lambda b: forge(b, lambda m: m.update(format=3)),
}  # fmt: skip


def test_damaged_encrypted_backup_is_refused_before_anything_changes(
    warehouse, ask, save_encrypted, bring_back, key_file, tmp_path
) -> None:
    saved = save_encrypted()
    ask("delete from mrr.mrr_fact_sales where id > 400")
    before = state_of(warehouse)
    whole = shutil.copytree(saved.path, tmp_path / "whole")
    for name, damage in DAMAGES.items():
        damage(saved.path)
        with pytest.raises(DamagedBackup) as told:
            bring_back(identity_file=key_file)
        assert saved.path.name in told.value.subject, name
        shutil.rmtree(saved.path)
        shutil.copytree(whole, saved.path)
    assert state_of(warehouse) == before
    bring_back(identity_file=key_file)


def test_file_put_in_the_place_of_another_is_found_by_the_encrypted_manifest(
    save_encrypted, bring_back, ask, key_file
) -> None:
    """Whoever can write there may take an older dump, and describe it in the cover, but no more."""
    older = save_encrypted()
    ask("delete from mrr.mrr_fact_sales where id > 400")
    newer = save_encrypted()
    shutil.copy(older.path / "mrr.dump.age", newer.path / "mrr.dump.age")
    describe_again(newer.path, "mrr.dump.age")
    with pytest.raises(DamagedBackup, match="altered, it differs from the encrypted manifest"):
        bring_back(identity_file=key_file)


def test_manifest_can_be_read_by_age_alone(save_encrypted, identity) -> None:
    saved = save_encrypted()
    manifest = json.loads(decrypt((saved.path / ENCRYPTED_MANIFEST).read_bytes(), [identity]))
    assert set(manifest["layers"]) == set(LAYERS)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("age1xyz", '"age1xyz" is not a public key of age'),
        ("ssh-ed25519 AAAA", "is not a public key of age"),
        (str(x25519.Identity.generate()), "contains a private key"),
        (f"age1{x25519.Identity.generate()}", "contains a private key"),
        (f"{x25519.Identity.generate().to_public()},x", '"x" is not a public key of age'),
    ],
    ids=["short", "of ssh", "private", "private after a word", "second"],
)
def test_setting_that_is_no_public_key_is_told(value: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=problem) as told:
        read_backup_settings({"BACKUP_AGE_RECIPIENT": value}, tmp_path)
    assert "AGE-SECRET-KEY" not in str(told.value)


def test_public_key_with_a_wrong_letter_is_told_before_anything_is_written(save, directory) -> None:
    key = str(x25519.Identity.generate().to_public())
    wrong = key[:-1] + ("q" if key[-1] != "q" else "p")
    with pytest.raises(SettingError, match=f'"{wrong}" is not a public key of age'):
        save(recipients=(wrong,))
    assert not directory.exists()
