"""One account, one daemon, per machine: two folders are one journal, a live account is held once whatever the journal, a
journal of an earlier version is never left behind silently, and the journal's files are its user's alone."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from parts.daemon import Daemon, environment, wait_until
from parts.needs import need

NOBODY = 65534


def xdg(place: Path) -> dict[str, str]:
    """A person's environment, without systemd."""
    return {"STATE_DIRECTORY": "", "XDG_STATE_HOME": str(place)}


def cli(binary: Path, *args: str, cwd: Path, user: int | None = None, **env: str) -> subprocess.CompletedProcess:
    """A command as a person types it, in some folder."""
    command = [binary, *args]
    env = environment(**env)
    return subprocess.run(command, env=env, cwd=cwd, user=user, capture_output=True, text=True, timeout=20)


def modes(place: Path) -> dict[str, int]:
    """Of every file there."""
    return {path.name: path.stat().st_mode & 0o777 for path in place.iterdir()}


def refused(daemon: Daemon) -> str:
    """What a daemon says that does not start."""
    code, _ = daemon.wait_exit()
    assert code == 1, daemon.output()
    return daemon.output()


# The place


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"STATE_DIRECTORY": "{0}/systemd:{0}/other", "XDG_STATE_HOME": "{0}/xdg", "HOME": "{0}/home"}, "systemd"),
        ({"STATE_DIRECTORY": "", "XDG_STATE_HOME": "{0}/xdg", "HOME": "{0}/home"}, "xdg/sentinel"),
        ({"STATE_DIRECTORY": "", "HOME": "{0}/home"}, "home/.local/state/sentinel"),
    ],
    ids=["systemd", "xdg", "home"],
)
def test_two_folders_are_one_journal_and_every_command_finds_it(rig, tmp_path, variables, place):
    env = {name: value.format(tmp_path) for name, value in variables.items()}
    journal = tmp_path / place / "journal.db"
    gateway = rig.gateway("v43")
    for _ in range(2):
        daemon = rig.start_live(gateway, "--cycles", "1", **env)
        daemon.after_cycles(1)
        assert daemon.logs()[0]["journal"] == str(journal)
        assert not (daemon.out.parent / "journal.db").exists()
        assert modes(journal.parent).keys() >= {"journal.db", "journal.db-wal", "journal.db-shm", "journal.db.lock"}
        assert set(modes(journal.parent).values()) == {0o600}
        assert journal.parent.stat().st_mode & 0o777 == 0o700
        assert daemon.stop()[0] == 0
    assert len(gateway.requests) == 1, "the second knows what the first ordered"
    for command in (["orders", "--json"], ["explain", "--last", "2", "--json"]):
        done = cli(rig.binary, *command, cwd=tmp_path, **env)
        assert done.returncode == 0, done.stderr
    assert done.returncode == 0 and len(json.loads(done.stdout)) == 2
    done = cli(rig.binary, "resume", cwd=tmp_path, **env)
    assert done.returncode == 0 and str(journal) in done.stdout
    checked = cli(rig.binary, "check", cwd=tmp_path, **env)
    assert f'path = "{journal}"' in checked.stdout


def test_check_makes_no_folder(rig, tmp_path):
    assert cli(rig.binary, "check", cwd=tmp_path, **xdg(tmp_path / "state")).returncode == 0
    assert not (tmp_path / "state").exists()


def test_without_a_place_the_working_folder_has_it_with_a_warning_and_live_mode_does_not_start(rig):
    nowhere = {"STATE_DIRECTORY": "relative", "HOME": ""}
    daemon = rig.start("--cycles", "1", **nowhere)
    daemon.after_cycles(1)
    [warned] = [line for line in daemon.logs() if "working folder" in line["message"]]
    assert warned["level"] == "WARN" and "STATE_DIRECTORY" in warned["message"]
    assert (daemon.out.parent / "journal.db").exists()
    gateway = rig.gateway("v43")
    said = refused(rig.start_live(gateway, **nowhere))
    assert "no second daemon" in said and "STATE_DIRECTORY" in said
    assert gateway.requests == []


def test_a_place_that_cannot_be_made_is_named(rig, tmp_path):
    (tmp_path / "file").write_text("")
    blocked = xdg(tmp_path / "file")
    assert f"{tmp_path}/file/sentinel cannot be made" in refused(rig.start_live(rig.gateway("v43"), **blocked))
    daemon = rig.start("--cycles", "1", **blocked).wait_serving()
    assert f"{tmp_path}/file/sentinel cannot be made" in daemon.output()


# The live lock


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST.", "127.0.0.2"])
def test_a_second_live_daemon_of_an_account_does_not_start_whatever_its_journal(rig, tmp_path, host):
    place = xdg(tmp_path / "state")
    gateway = rig.gateway("v43")
    first = rig.start_live(gateway, "--cycles", "1", "--journal", str(tmp_path / "one.db"), **place)
    first.after_cycles(1)
    live = ["--live", "--dialect", "v43", "--account", "demo-7", "--stop-loss", "0.002", "--gtw-host", host]
    live += ["--gtw-port", str(gateway.port), "--journal", str(tmp_path / "two.db")]
    second = rig.start(*live, settings={"gateway.plaintext": "accepted"}, **place)
    said = refused(second)
    for part in ("demo-7", f":{gateway.port}", f"pid {first.pid},", str(tmp_path / "one.db"), "live-", ".lock"):
        assert part in said, said
    assert len(gateway.requests) == 1
    [lock] = (tmp_path / "state/sentinel").glob("live-*.lock")
    assert lock.stat().st_mode & 0o777 == 0o600
    for name in ("pid", "account demo-7", "gateway", "journal"):
        assert name in lock.read_text()
    # It is free again with the first one's end, however it ends.
    first.process.kill()
    first.wait_exit()
    rig.start_live(gateway, "--cycles", "1", "--journal", str(tmp_path / "two.db"), **place).after_cycles(1)


def test_other_accounts_other_gateways_and_dry_runs_are_not_held_up(rig, tmp_path):
    place = xdg(tmp_path / "state")
    gateway, other = rig.gateway("v43"), rig.gateway("v43")

    def journal(name: str) -> list[str]:
        return ["--cycles", "1", "--journal", str(tmp_path / name)]

    rig.start_live(gateway, *journal("1"), **place).after_cycles(1)
    rig.start_live(other, *journal("2"), **place).after_cycles(1)
    settings = {"gateway.host": "127.0.0.1", "gateway.port": gateway.port}
    rig.start(*journal("3"), settings=settings, **place).after_cycles(1)
    live = [*journal("4"), "--live", "--dialect", "v43", "--account", "demo-8", "--stop-loss", "0.002"]
    rig.start(*live, settings=settings, **place).after_cycles(1)


def test_two_demos_hold_each_other_up_in_nothing(rig, tmp_path):
    place = xdg(tmp_path / "state")
    for _ in range(2):
        demo = rig.command("demo", "--metrics-port", "0", "--cycle-seconds", "1", **place)
        wait_until("its cycles", lambda demo=demo: "cycle" in demo.output())
    assert not (tmp_path / "state").exists()


# An old journal


def old_journal(rig) -> Path:
    """A journal where versions before this one made it, and the folder they were started in."""
    gateway = rig.gateway("v43")
    daemon = rig.start_live(gateway, "--cycles", "1", "--journal", "journal.db")
    daemon.after_cycles(1)
    assert daemon.stop()[0] == 0
    return daemon.out.parent


def test_an_old_journal_in_the_working_folder_is_named_and_its_command_moves_it(rig, tmp_path):
    old = old_journal(rig)
    place = xdg(tmp_path / "state")
    new = tmp_path / "state/sentinel/journal.db"
    live = ["run", "--live", "--dialect", "v43", "--account", "demo-7", "--stop-loss", "0.002", "--gtw-host", "127.0.0.1"]
    for command in (live, ["orders"], ["explain"], ["resume"]):
        done = cli(rig.binary, *command, cwd=old, **place)
        assert done.returncode in (1, 64), (command, done.stdout)
        assert str(old / "journal.db") in done.stderr and str(new) in done.stderr and "mv " in done.stderr, command
    assert not new.exists()
    # A dry run would make the new one, and the old one could not be moved there any more.
    dry = ["run", "--once", "--eodhd-base-url", "http://127.0.0.1:9", "--hub-host", "127.0.0.1"]
    done = cli(rig.binary, *dry, cwd=old, **place)
    assert done.returncode == 1 and str(old / "journal.db") in done.stderr and not new.exists()
    # A name that is said is meant.
    assert cli(rig.binary, "orders", "--journal", "journal.db", cwd=old, **place).returncode == 0
    said = cli(rig.binary, "orders", cwd=old, **place).stderr
    command = said.split("`")[1]
    assert shlex.split(command)[0] == "mkdir"
    subprocess.run(["sh", "-c", command], check=True)
    assert new.exists() and not (old / "journal.db").exists()
    # Typed once more, for another folder's journal, it spoils neither.
    shutil.copy(new, old / "journal.db")
    assert subprocess.run(["sh", "-c", command]).returncode != 0 and (old / "journal.db").exists()
    (old / "journal.db").unlink()
    orders = json.loads(cli(rig.binary, "orders", "--json", cwd=old, **place).stdout)
    assert [order["state"] for order in orders] == ["filled"]


def test_beside_a_journal_in_its_place_an_old_one_still_stops_live_mode(rig, tmp_path):
    old = old_journal(rig)
    place = tmp_path / "state/sentinel"
    place.mkdir(parents=True)
    shutil.copy(old / "journal.db", place)
    live = ["run", "--live", "--dialect", "v43", "--account", "demo-7", "--stop-loss", "0.002", "--gtw-host", "127.0.0.1"]
    done = cli(rig.binary, *live, cwd=old, **xdg(tmp_path / "state"))
    assert done.returncode == 1 and "Name the right one" in done.stderr and "mv " not in done.stderr
    assert cli(rig.binary, "orders", cwd=old, **xdg(tmp_path / "state")).returncode == 0


# Who may read


@pytest.fixture
def open_place(tmp_path):
    """A folder that another user can get to, and not write to."""
    need("root")
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)
    return tmp_path


def readable(journal: Path):
    """As somebody may want it who lets others look."""
    for part in journal.parent.glob("journal.db*"):
        part.chmod(0o644)


def test_files_that_others_could_open_are_tightened_with_a_word_once(rig, tmp_path):
    daemon = rig.start("--cycles", "1")
    daemon.after_cycles(1)
    assert daemon.stop()[0] == 0
    place = daemon.out.parent
    readable(place / "journal.db")
    again = rig.start("--cycles", "1", STATE_DIRECTORY=str(place))
    again.after_cycles(1)
    assert {mode for name, mode in modes(place).items() if name.startswith("journal.db")} == {0o600}
    said = [line["message"] for line in again.logs() if "only its user can" in line["message"]]
    assert len(said) == 2 and "0644" in said[0], said


@pytest.mark.parametrize("is_running", [True, False], ids=["beside a daemon", "without one"])
def test_a_user_who_may_only_read_reads(rig, open_place, is_running):
    gateway = rig.gateway("v43")
    place = open_place / "place"
    place.mkdir()
    journal = str(place / "journal.db")
    binary = shutil.copy(rig.binary, open_place)
    daemon = rig.start_live(gateway, "--cycles", "3", "--schedule", "* * * * * *", "--journal", journal)
    daemon.after_cycles(2)
    if not is_running:
        daemon.after_cycles(3)
        assert daemon.stop()[0] == 0
    readable(place / "journal.db")
    before = set(place.iterdir())
    for command, count in ((["orders"], 1), (["explain", "--last", "2"], 2)):
        done = cli(binary, *command, "--json", "--journal", journal, cwd=open_place, user=NOBODY)
        assert done.returncode == 0, done.stderr
        assert len(json.loads(done.stdout)) == count
    assert set(place.iterdir()) == before, "a reader leaves nothing behind"
    if is_running:
        daemon.after_cycles(3)
        assert daemon.metrics()("journal_write_failures_total") == 0
        assert daemon.stop()[0] == 0


def test_a_user_who_may_not_read_is_told_whom_to_ask(rig, open_place):
    daemon = rig.start("--cycles", "1", "--journal", str(open_place / "journal.db"))
    daemon.after_cycles(1)
    binary = shutil.copy(rig.binary, open_place)
    command = ["orders", "--journal", str(open_place / "journal.db")]
    done = cli(binary, *command, cwd=open_place, user=NOBODY)
    assert done.returncode == 1
    assert "mode 0600" in done.stderr and "as that user or as root" in done.stderr, done.stderr
    # The write-ahead log alone is enough to be in the way.
    (open_place / "journal.db").chmod(0o644)
    done = cli(binary, *command, cwd=open_place, user=NOBODY)
    assert done.returncode == 1 and "journal.db-wal cannot be read" in done.stderr, done.stderr


def test_a_reader_in_a_folder_that_all_may_write_leaves_nothing_that_locks_the_daemon_out(rig, open_place):
    place = open_place / "place"
    place.mkdir()
    journal = str(place / "journal.db")
    binary = shutil.copy(rig.binary, open_place)
    daemon = rig.start("--cycles", "1", "--journal", journal)
    daemon.after_cycles(1)
    assert daemon.stop()[0] == 0
    place.chmod(0o777)
    readable(place / "journal.db")
    before = set(place.iterdir())
    assert cli(binary, "orders", "--journal", journal, cwd=open_place, user=NOBODY).returncode == 0
    assert set(place.iterdir()) == before
