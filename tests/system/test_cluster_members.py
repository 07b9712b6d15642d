"""The commands of `cluster.mode = "shared"` against a real etcd, and Prometheus, which finds the members by themselves."""

import json
import signal
import threading
import time

import pytest
import yaml

from parts.daemon import free_port, wait_until
from parts.etcd import Etcd
from parts.guarded import guarded, sharing
from parts.harness import ACCOUNT
from parts.members import claim, get, join, put, record
from parts.prometheus import Prometheus
from parts.promtool import MONITORING, Rules
from parts.proxy import Proxy

DAY_S = 86_400


@pytest.fixture
def etcd(tmp_path):
    """Started."""
    etcd = Etcd(tmp_path / "etcd").start()
    yield etcd
    etcd.close()


def cluster(harness, url: str, *command: str, mode: str = "shared", **more: str) -> tuple[int, str, str]:
    """`sentinel cluster` with the test's account: exit code, stdout, stderr."""
    settings = {"SENTINEL__CLUSTER__MODE": mode, "SENTINEL__CLUSTER__ENDPOINTS": url} | more
    done = harness.command("cluster", *command, "--account", ACCOUNT, **settings)
    code = done.wait_exit()[0]
    return code, done.out.read_text(), done.err.read_text()


def good(harness, url: str, *command: str, **more: str) -> str:
    """What it prints; it must end with 0."""
    code, said, faults = cluster(harness, url, *command, **more)
    assert code == 0, said + faults
    return said


def test_status_tells_members_shards_and_limits(harness, etcd):
    assert "not held, now or before" in good(harness, etcd.url, "status")
    join(etcd, record("inf-1", "inf-1:8000"), range(15))
    put(etcd, "seen/inf-2", record("inf-2", "inf-2:8000", at=int(time.time()) - 7_300))
    put(etcd, "plan", {"owners": ["inf-1"] * 16})
    put(etcd, "open/03/EURUSD/1800000000/order", claim("EURUSD", "inf-1"))
    said = good(harness, etcd.url, "status")
    for part in (
        f"account {ACCOUNT}: 1 of 2 members live, 15 of 16 shards owned",
        "inf-1: live, lease ",
        "inf-2: gone without leaving, seen 2 h ago",
        "shard 15: nobody owns it; inf-1 should",
        "limits: 0 orders within an hour",
        "claims: 1 without a final outcome",
    ):
        assert part in said, said
    told = json.loads(good(harness, etcd.url, "status", "--json"))
    assert [one["name"] for one in told["members"]] == ["inf-1", "inf-2"] and 0 < told["members"][0]["lease_s"] <= 60
    assert told["is_held"] and told["shards"][3]["owner"] == "inf-1" and told["shards"][15]["owner"] is None
    # The members are seen from a guard's settings, too, and keep it from starting.
    assert "1 of 2 members live" in good(harness, etcd.url, "status", mode="guard")


def test_claims_are_listed_until_they_have_an_outcome(harness, etcd):
    assert "no claim is without a final outcome" in good(harness, etcd.url, "claims")
    put(etcd, "open/03/EURUSD/1800000000/order", claim("EURUSD", "inf-1"))
    put(etcd, "open/04/GBPUSD/1800000000/order", claim("GBPUSD", "inf-1", {"outcome": "unknown", "reason": "inf-1 died"}))
    put(etcd, "open/05/USDJPY/1800000000/order", {"of": "a later version"})
    said = good(harness, etcd.url, "claims")
    assert "EURUSD BUY 0.1" in said and "no outcome yet" in said and "sentinel orders resolve" in said, said
    assert "a later version wrote it" in said, said
    assert "GBPUSD" not in good(harness, etcd.url, "claims", "--unsent")
    assert len(json.loads(good(harness, etcd.url, "claims", "--json"))) == 3


def test_a_member_is_drained_and_undrained(harness, etcd):
    code, _, fault = cluster(harness, etcd.url, "drain", "--member", "inf-9")
    assert code == 1 and "no member was seen in etcd within 24 h" in fault, fault
    join(etcd, record("inf-1", "inf-1:8000"), range(16))
    code, _, fault = cluster(harness, etcd.url, "drain", "--member", "inf-9")
    assert code == 1 and "give --member one of: inf-1" in fault, fault
    assert "NO symbol is ordered" in good(harness, etcd.url, "drain", "--member", "inf-1")
    assert get(etcd, "drain/inf-1")["who"].startswith("person:")
    join(etcd, record("inf-2", "inf-2:8000"))
    # Without --member it is the one of these settings.
    said = good(harness, etcd.url, "drain", SENTINEL__CLUSTER__MEMBER="inf-1")
    assert "was drained already: its 16 shards go to the others" in said, said
    assert "live, draining" in good(harness, etcd.url, "status")
    assert "may own shards again" in good(harness, etcd.url, "undrain", "--member", "inf-1")
    assert get(etcd, "drain/inf-1") is None
    assert json.loads(good(harness, etcd.url, "undrain", "--member", "inf-1", "--json"))["was_drained"] is False


def test_a_halt_of_all_members_is_in_etcd(harness, etcd):
    assert "halted at" in good(harness, etcd.url, "halt", "--reason", "news")
    state = get(etcd, "state")
    assert state["halt"]["reason"] == "news" and " on " in state["halt"]["who"], state
    # What members count stays.
    put(etcd, "state", state | {"failures_in_a_row": 2, "in_flight": 1})
    assert "HALTED for all members" in good(harness, etcd.url, "status")
    assert "the halt of" in good(harness, etcd.url, "resume")
    state = get(etcd, "state")
    assert (state["halt"], state["failures_in_a_row"], state["in_flight"]) == (None, 0, 1), state
    # Too many failures stop orders without a halt, and only a person ends that.
    put(etcd, "state", state | {"failures_in_a_row": 5})
    assert "the account was not halted; failures in a row count anew" in good(harness, etcd.url, "resume")
    assert get(etcd, "state")["failures_in_a_row"] == 0
    code, _, fault = cluster(harness, etcd.url, "halt", "--reason", " ")
    assert code == 64 and "must be one line of text" in fault, fault
    put(etcd, "state", {"of": "a later version"})
    code, _, fault = cluster(harness, etcd.url, "halt")
    assert code == 1 and "a later version wrote it" in fault and "`sentinel halt`" in fault, fault
    etcd.stop()
    code, _, fault = cluster(harness, etcd.url, "halt")
    assert code == 1 and "`sentinel halt` on each machine needs no etcd" in fault, fault


def test_an_etcd_without_data_halts_until_a_person_resumes(harness, etcd):
    gateway = harness.gateway("v43")
    daemon = sharing(harness, gateway, 1, etcd.url)
    daemon.wait_serving(60).wait_metrics("it is halted", lambda m: m("cluster_halted") == 1, 60)
    [check] = [check for check in json.loads(daemon.get("/health")[2])["checks"] if check["name"] == "kill_switch"]
    assert check["status"] == "degraded" and "by inf-1: etcd knew nothing" in check["detail"], check
    assert "`sentinel cluster resume`" in check["detail"] and "etcd knew nothing" in daemon.output(), check
    assert "HALTED for all members by inf-1" in good(harness, etcd.url, "status")
    assert "the halt of" in good(harness, etcd.url, "resume")
    daemon.wait_metrics("it is resumed", lambda m: m("cluster_halted") == 0, 30)
    # A restart finds its own `last`.
    assert daemon.stop()[0] == 0 and get(etcd, "state")["halt"] is None
    daemon = sharing(harness, gateway, 1, etcd.url)
    wait_until("it is a member", lambda: daemon.serves() and daemon.metrics()("cluster_members") == 1, 60)
    assert daemon.metrics()("cluster_halted") == 0


@pytest.mark.parametrize("command, instead", [
    (("drain",), "SIGTERM"),
    (("undrain",), "SIGTERM"),
    (("claims",), "sentinel orders --unresolved"),
    (("halt",), "`sentinel halt` on its machine"),
])  # fmt: skip
def test_commands_for_members_are_refused_to_a_guard(harness, command, instead):
    code, said, fault = cluster(harness, "http://127.0.0.1:1", *command, mode="guard")
    assert (code, said) == (64, "") and 'this is for cluster.mode = "shared"' in fault and instead in fault, fault


def beats(etcd, members: dict[str, int]) -> threading.Event:
    """Writes what live members write every two seconds, with their clocks' offsets. Stops with the event."""
    stop = threading.Event()

    def beat():
        while not stop.wait(2):
            for name, offset in members.items():
                put(etcd, f"seen/{name}", record(name, f"{name}:8000", at=int(time.time()) + offset))

    threading.Thread(target=beat, daemon=True).start()
    return stop


def test_verify_tells_clocks_names_and_modes(harness, etcd):
    for name in ("inf-1", "inf-2", "inf-3"):
        join(etcd, record(name, f"{name}:8000"), range(16) if name == "inf-1" else range(0))
    join(etcd, record("inf-4", "inf-1:8000"))
    stop = beats(etcd, {"inf-1": 0, "inf-2": 30, "inf-3": -30})
    code, said, fault = cluster(harness, etcd.url, "verify")
    assert code == 0, said + fault
    for found in (
        "inf-1 is within 2 s of this machine",
        "s ahead of this machine",
        "s behind this machine",
        "inf-4 did not write in time",
        "inf-1 and inf-4 have their metrics at the same address",
        "all 16 have an owner",
        "1: if it stops, no member orders",
    ):
        assert found in said, said
    put(etcd, "claim", record("guard", "x:1"))
    stop.set()
    code, said, _ = cluster(harness, etcd.url, "verify", "--json")
    failed = [check["name"] for check in json.loads(said)["checks"] if check["mark"] == "failed"]
    assert code == 1 and failed == ["one mode"], said


def test_the_file_of_targets_outlives_etcd(harness, etcd, tmp_path):
    path = tmp_path / "sentinel.json"
    now = int(time.time())
    put(etcd, "seen/live", record("live", "10.0.0.1:8000"))
    put(etcd, "seen/dead", record("dead", "10.0.0.2:8000", at=now - DAY_S + 600, region=""))
    put(etcd, "seen/forgotten", record("forgotten", "10.0.0.3:8000", at=now - DAY_S - 600))
    assert ": 2 targets" in good(harness, etcd.url, "targets", "--file", str(path))
    labels = {"instance": "dead", "component": "trading", "node": "host-dead"}
    dead, live = json.loads(path.read_text())
    assert dead == {"targets": ["10.0.0.2:8000"], "labels": labels}
    assert live["labels"] == {"instance": "live", "component": "trading", "node": "host-live", "region": "eu"}
    assert json.loads(good(harness, etcd.url, "targets")) == [dead, live]
    etcd.stop()
    code, _, fault = cluster(harness, etcd.url, "targets", "--file", str(path))
    assert code == 1 and "sentinel cluster verify" in fault, fault
    assert json.loads(path.read_text()) == [dead, live]
    refused = cluster(harness, etcd.url, "targets", "--file", str(tmp_path / "targets.txt"))
    assert refused[0] == 64 and "must end in .json" in refused[2], refused


def test_a_daemon_alone_lists_itself(harness):
    daemon = harness.start(settings={"cluster.region": "singapore", "cluster.member": "inf-1"}).wait_serving(60)
    status, headers, body = daemon.get("/sd")
    [target] = json.loads(body)
    assert status == 200 and headers["content-type"] == "application/json", headers
    assert target["targets"] == [f"127.0.0.1:{daemon.port}"]
    assert target["labels"]["instance"] == "inf-1" and target["labels"]["region"] == "singapore", target


def member(harness, gateway, number: int, url: str):
    """A live daemon with `cluster.mode = "shared"`."""
    port = free_port()
    own = {"cluster.mode": "shared", "cluster.trial": "accepted", "cluster.region": "eu", "metrics.port": port, "cluster.address": f"127.0.0.1:{port}"}
    return guarded(harness, gateway, number, url, **own)


def listed(daemon) -> list[str]:
    """The members that it lists; empty if it does not."""
    status, _, body = daemon.get("/sd")
    return [target["labels"]["instance"] for target in json.loads(body)] if status == 200 else []


def test_prometheus_finds_members_and_misses_a_dead_one(harness, etcd, tmp_path):
    gateway = harness.gateway("envelope")
    proxy = Proxy(etcd.port)
    daemons = [member(harness, gateway, number, proxy.url).wait_serving(60) for number in (1, 2)]
    for number, daemon in enumerate(daemons, 1):
        put(etcd, f"seen/inf-{number}", record(f"inf-{number}", f"127.0.0.1:{daemon.port}"))
    wait_until("both are listed", lambda: listed(daemons[0]) == ["inf-1", "inf-2"], 60)
    [down] = [rule for rule in Rules().rules.values() if rule.get("alert") == "SentinelDown"]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "one", "rules": [down | {"for": "2s"}]}]}))
    discovery = [{"url": f"http://127.0.0.1:{daemon.port}/sd", "refresh_interval": "1s"} for daemon in daemons]
    [job] = [job for job in yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"] if "static_configs" in job][:1]
    job = {key: value for key, value in job.items() if key != "static_configs"} | {"http_sd_configs": discovery}
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}, "rule_files": ["rules.yml"]}
    config["scrape_configs"] = [job | {"scrape_interval": "1s", "scrape_timeout": "1s"}]
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    prometheus = Prometheus(tmp_path / "prometheus.yml", tmp_path / "prometheus")
    try:
        wait_until("both are scraped", lambda: len(prometheus.query("up == 1")) == 2, 60)
        [labels] = [sample["metric"] for sample in prometheus.query('up{instance="inf-2"}')]
        assert (labels["component"], labels["region"], labels["job"]) == ("trading", "eu", "sentinel-metrics"), labels
        daemons[1].send(signal.SIGKILL)
        firing = 'ALERTS{alertname="SentinelDown", alertstate="firing", instance="inf-2"}'
        wait_until("the alert fires", lambda: prometheus.query(firing), 60)
        assert prometheus.value('up{instance="inf-2"}') == 0 and prometheus.value('up{instance="inf-1"}') == 1
        assert listed(daemons[0]) == ["inf-1", "inf-2"]
        # Without etcd the list is an old one, which says so; and /metrics does not wait for it.
        proxy.is_cut = True
        wait_until("the list is old", lambda: "warning" in daemons[0].get("/sd")[1], 60)
        began = time.monotonic()
        assert daemons[0].get("/metrics")[0] == 200 and time.monotonic() - began < 2
        assert listed(daemons[0]) == ["inf-1", "inf-2"] and "is " in daemons[0].get("/sd")[1]["warning"]
        assert prometheus.query(firing)
    finally:
        prometheus.close()
        proxy.close()


def test_verify_hub_wants_every_member_as_a_target(harness, etcd, tmp_path):
    gateway = harness.gateway("envelope")
    daemon = member(harness, gateway, 1, etcd.url).wait_serving(60)
    put(etcd, "seen/inf-1", record("inf-1", f"127.0.0.1:{daemon.port}"))
    put(etcd, "seen/inf-2", record("inf-2", "127.0.0.1:1"))
    wait_until("both are listed", lambda: listed(daemon) == ["inf-1", "inf-2"], 60)

    def checked(*addresses: str) -> dict:
        job = {"job_name": "sentinel-metrics", "scrape_interval": "1s", "scrape_timeout": "1s"}
        job["static_configs"] = [{"targets": [address], "labels": {"instance": address}} for address in addresses]
        path = tmp_path / f"{len(addresses)}.yml"
        path.write_text(json.dumps({"scrape_configs": [job]}))
        prometheus = Prometheus(path, tmp_path / f"data-{len(addresses)}")
        try:
            urls = ["--inf", f"http://127.0.0.1:{daemon.port}", "--prometheus", prometheus.url]
            said = json.loads(harness.run("verify", "hub", *urls, "--wait", "5", "--json").stdout)
        finally:
            prometheus.close()
        [found] = [check for check in said["checks"] if check["name"] == "members"]
        return found

    missing = checked(f"127.0.0.1:{daemon.port}")
    assert missing["mark"] == "failed" and "inf-2 at 127.0.0.1:1" in missing["found"], missing
    assert checked(f"127.0.0.1:{daemon.port}", "127.0.0.1:1")["mark"] == "ok"
