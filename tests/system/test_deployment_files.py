"""The files in docker/, checked without an engine: the port's address, no core dumps, and the folder of journal and live
lock."""

import os
import re
import shutil
import sqlite3
import subprocess
import tomllib

import yaml

from parts.paths import ROOT
from parts.requirements import require

PLACE = "/var/lib/sentinel"


def compose(**env: str) -> dict:
    """compose.yaml as docker-compose reads it, which needs no engine."""
    require("docker-compose")
    command = ["docker-compose", "-f", "docker/compose.yaml", "--profile", "inf", "config"]
    done = subprocess.run(
        command, cwd=ROOT, env={"PATH": os.environ["PATH"]} | env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]["sentinel"]


def published(service: dict) -> list[str]:
    """Ports as text, for both forms that docker-compose prints."""
    return [port if isinstance(port, str) else f"{port['host_ip']}:{port['published']}" for port in service["ports"]]


def test_the_port_is_published_on_ipv4_or_the_given_address():
    assert re.match(r"0\.0\.0\.0:8000", published(compose())[0])
    named = published(compose(SENTINEL_ADDRESS="172.19.141.250", SENTINEL_PORT="9000"))
    # The console is on the host's loopback, whatever the address of the metrics is.
    assert len(named) == 2 and named[0].startswith("172.19.141.250:9000") and named[1].startswith("127.0.0.1:8001")


def test_the_demo_names_no_console_that_nobody_can_open():
    """It listens on the container's loopback unless it has TLS and users, whatever is published."""
    demo = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]["demo"]
    settings = demo.get("environment", {})
    has_users = "SENTINEL__CONSOLE__WEB_CONFIG_FILE" in settings and any(port.endswith(":8001") for port in demo["ports"])
    assert settings.get("SENTINEL__CONSOLE__ENABLED") == "false" or has_users


def test_settings_of_the_pair_go_together(binary, tmp_path):
    """`sentinel check` with the flags and variables of each; only the places of files are others."""
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    members = {name: service for name, service in services.items() if name.startswith("member-")}
    key = tmp_path / "key"
    key.write_text("test-token")
    for name, service in members.items():
        own = service["environment"] | {"EODHD_API_TOKEN_FILE": str(key), "PATH": os.environ["PATH"]}
        own |= {"SENTINEL__GUARDS__HALT_FILE": str(tmp_path / "halt"), "SENTINEL__JOURNAL__PATH": str(tmp_path / "journal.db")}
        flags = [word.replace("/etc/sentinel/", f"{ROOT}/config/") for word in service["command"][1:]]
        done = subprocess.run([binary, "check", *flags], env=own, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert (own["SENTINEL__CLUSTER__MEMBER"], service["network_mode"]) == (name, "service:etcd")
        published = f"{own['SENTINEL__CLUSTER__ADDRESS']}:{own['METRICS_PORT']}"
        assert published in services["etcd"]["ports"], published
        assert service["volumes"] == [f"{name}:{PLACE}"]
    settings = [{key for key in service["environment"]} for service in members.values()]
    assert len(members) == 2 and settings[0] == settings[1]


def test_prometheus_of_the_pair_is_hubs_with_discovery(tmp_path):
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    mounts = dict(reversed(mount.removesuffix(":ro").split(":")) for mount in services["pair-prometheus"]["volumes"])
    for inside, outside in mounts.items():
        shutil.copy(ROOT / "docker" / outside, tmp_path / inside.removeprefix("/etc/prometheus/"))
    require("prometheus")
    checked = subprocess.run(["promtool", "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr
    hub = yaml.safe_load((ROOT / "config/monitoring/prometheus.yml").read_text())
    pair = yaml.safe_load((tmp_path / "prometheus.yml").read_text())
    own = {job["job_name"]: job for job in pair["scrape_configs"]}
    lists = {config["url"] for config in own["sentinel-metrics"].pop("http_sd_configs")}
    addresses = {service["environment"]["SENTINEL__CLUSTER__ADDRESS"] for name, service in services.items() if name.startswith("member-")}
    assert lists == {f"http://{address}/sd" for address in addresses}
    theirs = {job["job_name"]: job for job in hub["scrape_configs"] if job["job_name"] in own}
    del theirs["sentinel-metrics"]["static_configs"]
    assert own == theirs and pair["global"] == hub["global"] and pair["rule_files"] == hub["rule_files"]


def test_core_dumps_are_disabled():
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    assert services["sentinel"]["ulimits"] == services["demo"]["ulimits"] == {"core": 0}
    assert "\nLimitCORE=0\n" in (ROOT / "docker/sentinel.service").read_text()


def test_a_restored_backup_is_that_backup_after_a_kill_too(tmp_path):
    """The write-ahead logs of killed writers are newer than the backup: SQLite would read them into its databases."""
    state, backup = tmp_path / "state", tmp_path / "backup"
    state.mkdir()
    names = ("journal.db", "bars.db", "studies.db")

    def write(row: int) -> list[sqlite3.Connection]:
        writers = [sqlite3.connect(state / name, isolation_level=None) for name in names]
        for writer in writers:
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("CREATE TABLE IF NOT EXISTS rows (number)")
            writer.execute("INSERT INTO rows VALUES (?)", [row])
        return writers

    for writer in write(1):
        writer.close()
    shutil.copytree(state, backup)
    killed = write(2)
    volume = tmp_path / "volume"
    shutil.copytree(state, volume)
    for writer in killed:
        writer.close()
    assert (volume / "bars.db-wal").stat().st_size > 0, "the state of a kill"
    [command] = re.findall(r"--entrypoint sh sentinel -c '(.*)'", (ROOT / "docker/README.md").read_text())
    restore, owner = command.rsplit(" && ", 1)
    assert owner.startswith("chown ")
    restore = re.sub(r"/(to|from)\b", lambda place: str({"to": volume, "from": backup}[place[1]]), restore)
    subprocess.run(["sh", "-c", restore], check=True, timeout=10)
    assert sorted(path.name for path in volume.iterdir()) == sorted(names)
    for name in names:
        with sqlite3.connect(volume / name) as restored:
            assert restored.execute("SELECT number FROM rows").fetchall() == [(1,)], name


def test_image_unit_and_settings_agree_on_the_journal():
    image = (ROOT / "docker/Dockerfile").read_text()
    assert f"\nENV STATE_DIRECTORY={PLACE}\n" in image and f"\nVOLUME {PLACE}\n" in image
    assert f'\npath = "{PLACE}/journal.db"\n' in (ROOT / "config/production.toml").read_text()
    assert "\nStateDirectory=sentinel\n" in (ROOT / "docker/sentinel.service").read_text()


def test_the_key_is_where_root_and_the_unit_expect_it():
    settings = tomllib.loads((ROOT / "config/production.toml").read_text())
    unit = (ROOT / "docker/sentinel.service").read_text()
    assert f"\nLoadCredential=eodhd_api_token:{settings['data']['api_token_file']}\n" in unit


def test_the_hosts_command_uses_the_container_of_the_file():
    script = (ROOT / "docker/sentinel.sh").read_text()
    assert "\nname=${SENTINEL_CONTAINER:-sentinel}\n" in script
    assert compose()["container_name"] == "sentinel"
    assert compose(SENTINEL_CONTAINER="other")["container_name"] == "other"


def test_the_hosts_command_starts_no_daemon():
    for words in ([], ["run"], ["run", "--live"], ["--live"], ["--once"], ["--config", "x"], ["--config=x"]):
        done = subprocess.run(["/bin/sh", ROOT / "docker/sentinel.sh", *words], env={"PATH": "/nonexistent"}, capture_output=True)
        assert done.returncode == 64 and b"docker-compose" in done.stderr, words
