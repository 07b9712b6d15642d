"""One daemon per account on a machine: the journal does not depend on the working folder, a live account is locked once for all
journals, a journal of an earlier version is never ignored silently, and only its user can read the journal's files."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from parts.daemon import Daemon, environment, wait_until

NOBODY = 65534


def xdg(place: Path) -> dict[str, str]:
    """The environment of a person, without systemd."""
    return {"STATE_DIRECTORY": "", "XDG_STATE_HOME": str(place)}


def cli(binary: Path, *args: str, cwd: Path, user: int | None = None, **env: str) -> subprocess.CompletedProcess:
    """Runs a command as a person would, in any folder."""
    command = [binary, *args]
    env = environment(**env)
    return subprocess.run(command, env=env, cwd=cwd, user=user, capture_output=True, text=True, timeout=20)


def modes(place: Path) -> dict[str, int]:
    """The mode of every file in a folder."""
    return {path.name: path.stat().st_mode & 0o777 for path in place.iterdir()}


def refused(daemon: Daemon) -> str:
    """The output of a daemon that does not start."""
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
def test_the_journal_does_not_depend_on_the_working_folder(harness, tmp_path, variables, place):
    env = {name: value.format(tmp_path) for name, value in variables.items()}
    journal = tmp_path / place / "journal.db"
    gateway = harness.gateway("v43")
    for _ in range(2):
        daemon = harness.start_live(gateway, "--cycles", "1", **env)
        daemon.after_cycles(1)
        assert daemon.logs()[0]["journal"] == str(journal)
        assert not (daemon.out.parent / "journal.db").exists()
        assert modes(journal.parent).keys() >= {"journal.db", "journal.db-wal", "journal.db-shm", "journal.db.lock"}
        assert set(modes(journal.parent).values()) == {0o600}
        assert journal.parent.stat().st_mode & 0o777 == 0o700
        assert daemon.stop()[0] == 0
    assert len(gateway.requests) == 1, "the second knows what the first ordered"
    for command in (["orders", "--json"], ["explain", "--last", "2", "--json"]):
        done = cli(harness.binary, *command, cwd=tmp_path, **env)
        assert done.returncode == 0, done.stderr
    assert done.returncode == 0 and len(json.loads(done.stdout)) == 2
    done = cli(harness.binary, "resume", cwd=tmp_path, **env)
    assert done.returncode == 0 and str(journal) in done.stdout
    checked = cli(harness.binary, "check", cwd=tmp_path, **env)
    assert f'path = "{journal}"' in checked.stdout


def test_check_creates_no_folder(harness, tmp_path):
    assert cli(harness.binary, "check", cwd=tmp_path, **xdg(tmp_path / "state")).returncode == 0
    assert not (tmp_path / "state").exists()


def test_without_a_state_folder_only_a_dry_run_starts(harness):
    nowhere = {"STATE_DIRECTORY": "relative", "HOME": ""}
    daemon = harness.start("--cycles", "1", **nowhere)
    daemon.after_cycles(1)
    [warned] = [line for line in daemon.logs() if "working folder" in line["message"]]
    assert warned["level"] == "WARN" and "STATE_DIRECTORY" in warned["message"]
    assert (daemon.out.parent / "journal.db").exists()
    gateway = harness.gateway("v43")
    said = refused(harness.start_live(gateway, **nowhere))
    assert "a second daemon" in said and "STATE_DIRECTORY" in said
    assert gateway.requests == []


def test_a_folder_that_cannot_be_created_is_named(harness, tmp_path):
    (tmp_path / "file").write_text("")
    blocked = xdg(tmp_path / "file")
    assert f"{tmp_path}/file/sentinel cannot be created" in refused(harness.start_live(harness.gateway("v43"), **blocked))
    daemon = harness.start("--cycles", "1", **blocked).wait_serving()
    assert f"{tmp_path}/file/sentinel cannot be created" in daemon.output()


# The live lock


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST.", "127.0.0.2"])
def test_a_second_live_daemon_of_an_account_does_not_start(harness, tmp_path, host):
    place = xdg(tmp_path / "state")
    gateway = harness.gateway("v43")
    first = harness.start_live(gateway, "--cycles", "1", "--journal", str(tmp_path / "one.db"), **place)
    first.after_cycles(1)
    live = ["--live", "--dialect", "v43", "--account", "demo-7", "--stop-loss", "0.002", "--gtw-host", host]
    live += ["--gtw-port", str(gateway.port), "--journal", str(tmp_path / "two.db")]
    second = harness.start(*live, settings={"gateway.plaintext": "accepted"}, **place)
    said = refused(second)
    for part in ("demo-7", f":{gateway.port}", f"pid {first.pid},", str(tmp_path / "one.db"), "live-", ".lock"):
        assert part in said, said
    assert len(gateway.requests) == 1
    [lock] = (tmp_path / "state/sentinel").glob("live-*.lock")
    assert lock.stat().st_mode & 0o777 == 0o600
    for name in ("pid", "account demo-7", "gateway", "journal"):
        assert name in lock.read_text()
    # The lock is free again after the end of the first daemon, however it ends.
    first.process.kill()
    first.wait_exit()
    harness.start_live(gateway, "--cycles", "1", "--journal", str(tmp_path / "two.db"), **place).after_cycles(1)


def test_other_accounts_gateways_and_dry_runs_may_start(harness, tmp_path):
    place = xdg(tmp_path / "state")
    gateway, other = harness.gateway("v43"), harness.gateway("v43")

    def journal(name: str) -> list[str]:
        return ["--cycles", "1", "--journal", str(tmp_path / name)]

    harness.start_live(gateway, *journal("1"), **place).after_cycles(1)
    harness.start_live(other, *journal("2"), **place).after_cycles(1)
    settings = {"gateway.host": "127.0.0.1", "gateway.port": gateway.port}
    harness.start(*journal("3"), settings=settings, **place).after_cycles(1)
    live = [*journal("4"), "--live", "--dialect", "v43", "--account", "demo-8", "--stop-loss", "0.002"]
    harness.start(*live, settings=settings, **place).after_cycles(1)


def test_two_demos_do_not_block_each_other(harness, tmp_path):
    place = xdg(tmp_path / "state")
    for _ in range(2):
        demo = harness.command("demo", "--metrics-port", "0", "--cycle-seconds", "1", **place)
        wait_until("its cycles", lambda demo=demo: "cycle" in demo.output())
    assert not (tmp_path / "state").exists()


# An old journal


def old_journal(harness) -> Path:
    """A journal where earlier versions created it, and the folder in which they were started."""
    gateway = harness.gateway("v43")
    daemon = harness.start_live(gateway, "--cycles", "1", "--journal", "journal.db")
    daemon.after_cycles(1)
    assert daemon.stop()[0] == 0
    return daemon.out.parent


def test_an_old_journal_is_named_with_a_command(harness, tmp_path):
    old = old_journal(harness)
    place = xdg(tmp_path / "state")
    new = tmp_path / "state/sentinel/journal.db"
    live = ["run", "--live", "--dialect", "v43", "--account", "demo-7", "--stop-loss", "0.002", "--gtw-host", "127.0.0.1"]
    for command in (live, ["orders"], ["explain"], ["resume"]):
        done = cli(harness.binary, *command, cwd=old, **place)
        assert done.returncode in (1, 64), (command, done.stdout)
        assert str(old / "journal.db") in done.stderr and str(new) in done.stderr and "mv " in done.stderr, command
    assert not new.exists()
    # A dry run would create the new journal, and the old one could then not be moved there.
    dry = ["run", "--once", "--eodhd-base-url", "http://127.0.0.1:9", "--hub-host", "127.0.0.1"]
    done = cli(harness.binary, *dry, cwd=old, **place)
    assert done.returncode == 1 and str(old / "journal.db") in done.stderr and not new.exists()
    # An explicit path is used.
    assert cli(harness.binary, "orders", "--journal", "journal.db", cwd=old, **place).returncode == 0
    said = cli(harness.binary, "orders", cwd=old, **place).stderr
    command = said.split("`")[1]
    assert shlex.split(command)[0] == "mkdir"
    subprocess.run(["sh", "-c", command], check=True)
    assert new.exists() and not (old / "journal.db").exists()
    # Run again for a journal in another folder, the command damages neither.
    shutil.copy(new, old / "journal.db")
    assert subprocess.run(["sh", "-c", command]).returncode != 0 and (old / "journal.db").exists()
    (old / "journal.db").unlink()
    orders = json.loads(cli(harness.binary, "orders", "--json", cwd=old, **place).stdout)
    assert [order["state"] for order in orders] == ["filled"]


def test_an_old_journal_stops_live_mode_beside_a_new_one(harness, tmp_path):
    old = old_journal(harness)
    place = tmp_path / "state/sentinel"
    place.mkdir(parents=True)
    shutil.copy(old / "journal.db", place)
    live = ["run", "--live", "--dialect", "v43", "--account", "demo-7", "--stop-loss", "0.002", "--gtw-host", "127.0.0.1"]
    done = cli(harness.binary, *live, cwd=old, **xdg(tmp_path / "state"))
    assert done.returncode == 1 and "Name the right one" in done.stderr and "mv " not in done.stderr
    assert cli(harness.binary, "orders", cwd=old, **xdg(tmp_path / "state")).returncode == 0


# Who may read


def readable(journal: Path):
    """Lets other users read the journal."""
    for part in journal.parent.glob("journal.db*"):
        part.chmod(0o644)


def test_files_readable_for_others_become_private_with_a_warning(harness, tmp_path):
    daemon = harness.start("--cycles", "1")
    daemon.after_cycles(1)
    assert daemon.stop()[0] == 0
    place = daemon.out.parent
    readable(place / "journal.db")
    again = harness.start("--cycles", "1", STATE_DIRECTORY=str(place))
    again.after_cycles(1)
    assert {mode for name, mode in modes(place).items() if name.startswith("journal.db")} == {0o600}
    said = [line["message"] for line in again.logs() if "only its user can" in line["message"]]
    assert len(said) == 2 and "0644" in said[0], said


@pytest.mark.parametrize("is_running", [True, False], ids=["beside a daemon", "without one"])
def test_a_user_with_read_permission_can_read(harness, reachable_folder, is_running):
    gateway = harness.gateway("v43")
    place = reachable_folder / "place"
    place.mkdir()
    journal = str(place / "journal.db")
    binary = shutil.copy(harness.binary, reachable_folder)
    daemon = harness.start_live(gateway, "--cycles", "3", "--schedule", "* * * * * *", "--journal", journal)
    daemon.after_cycles(2)
    if not is_running:
        daemon.after_cycles(3)
        assert daemon.stop()[0] == 0
    readable(place / "journal.db")
    if is_running:
        # The archive has a thread of its own, and makes its files when it likes.
        wait_until("the archive", (place / "bars.db-shm").exists)
    before = set(place.iterdir())
    for command, count in ((["orders"], 1), (["explain", "--last", "2"], 2)):
        done = cli(binary, *command, "--json", "--journal", journal, cwd=reachable_folder, user=NOBODY)
        assert done.returncode == 0, done.stderr
        assert len(json.loads(done.stdout)) == count
    assert set(place.iterdir()) == before, "a reader leaves nothing behind"
    if is_running:
        daemon.after_cycles(3)
        assert daemon.metrics()("journal_write_failures_total") == 0
        assert daemon.stop()[0] == 0


def test_a_user_without_permission_gets_a_clear_message(harness, reachable_folder):
    daemon = harness.start("--cycles", "1", "--journal", str(reachable_folder / "journal.db"))
    daemon.after_cycles(1)
    binary = shutil.copy(harness.binary, reachable_folder)
    command = ["orders", "--journal", str(reachable_folder / "journal.db")]
    done = cli(binary, *command, cwd=reachable_folder, user=NOBODY)
    assert done.returncode == 1
    assert "mode 0600" in done.stderr and "as that user or as root" in done.stderr, done.stderr
    # The write-ahead log alone would be a problem.
    (reachable_folder / "journal.db").chmod(0o644)
    done = cli(binary, *command, cwd=reachable_folder, user=NOBODY)
    assert done.returncode == 1 and "journal.db-wal cannot be read" in done.stderr, done.stderr


def test_a_reader_leaves_no_files_that_block_the_daemon(harness, reachable_folder):
    place = reachable_folder / "place"
    place.mkdir()
    journal = str(place / "journal.db")
    binary = shutil.copy(harness.binary, reachable_folder)
    daemon = harness.start("--cycles", "1", "--journal", journal)
    daemon.after_cycles(1)
    assert daemon.stop()[0] == 0
    place.chmod(0o777)
    readable(place / "journal.db")
    before = set(place.iterdir())
    assert cli(binary, "orders", "--journal", journal, cwd=reachable_folder, user=NOBODY).returncode == 0
    assert set(place.iterdir()) == before
