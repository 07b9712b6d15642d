"""One account, several daemons with journals of their own, and a real etcd: only one of them sends orders. What was sent is what
an independent gateway wrote down."""

import base64
import json
import os
import re
import signal
import socket
import time

import pytest

from parts.certificates import CertificateAuthority
from parts.daemon import wait_until
from parts.etcd import Etcd
from parts.guarded import SHORT, MinuteMarket, begin, guarded, holds, ids, senders
from parts.harness import ACCOUNT
from parts.proxy import Proxy

@pytest.fixture
def etcd(tmp_path):
    """Not started yet."""
    etcd = Etcd(tmp_path / "etcd")
    yield etcd
    etcd.close()


def because(daemon) -> str:
    """Why it is not ready."""
    return json.loads(daemon.get("/health")[2]).get("not_ready_because") or ""


def test_a_second_daemon_is_refused_until_the_first_is_dead(harness, etcd):
    etcd.start()
    begin(harness, etcd)
    gateway = harness.gateway("envelope")
    usual = {"cluster.lease_s": 15, "cluster.keepalive_s": 5}
    first = guarded(harness, gateway, 1, etcd.url, **usual)
    wait_until("the first order", lambda: gateway.requests, 90)
    second = guarded(harness, gateway, 2, etcd.url, **usual)
    code, said = second.wait_exit(90)[0], second.output()
    assert code == 1, said
    assert f"another daemon already trades account {ACCOUNT}: inf-1 on host {socket.gethostname()} (pid {first.pid}" in said
    first.send(signal.SIGKILL)
    third = guarded(harness, gateway, 3, etcd.url, **usual)
    wait_until("the third holds the account", lambda: holds(third), 120)
    assert "waiting up to 33 s to see whether inf-1" in third.output()
    # The bar that the first one ordered is in a journal that the third has never seen.
    metrics = third.wait_metrics("signals", lambda m: m.suppressed().get("before_takeover", 0) >= 2, 90)
    assert set(metrics.suppressed()) <= {"not_holder", "before_takeover"}
    assert senders(gateway) == [1]
    wait_until("it is ready", lambda: third.get("/readyz")[0] == 200, 60)
    acknowledged(harness, etcd, third)


def acknowledged(harness, etcd, daemon):
    """A dead holder is reported until a person has looked; the holder keeps its claim when that is said."""

    def check() -> dict:
        [found] = [check for check in json.loads(daemon.get("/health")[2])["checks"] if check["name"] == "cluster"]
        return found

    settings = {"SENTINEL__CLUSTER__MODE": "guard", "SENTINEL__CLUSTER__ENDPOINTS": etcd.url}
    assert daemon.metrics()("cluster_dead_holder") == 1
    assert check()["status"] == "degraded" and "inf-1 on host" in check()["detail"], check()
    epoch = json.loads(said_by(harness, "status", "--json", **settings))["claim"]["epoch"]
    assert "acknowledged that inf-1 on host" in said_by(harness, "acknowledge", **settings)
    assert "nothing to acknowledge" in said_by(harness, "acknowledge", **settings)
    wait_until("it is known", lambda: daemon.metrics()("cluster_dead_holder") == 0, 30)
    assert holds(daemon) and check()["status"] == "ok", check()
    assert json.loads(said_by(harness, "status", "--json", **settings))["claim"]["epoch"] == epoch
    assert "lost in etcd" not in daemon.output() and "somebody has acknowledged" in daemon.output()


def said_by(harness, *command: str, **settings) -> str:
    """What `sentinel cluster` prints for the account. It must end with 0."""
    done = harness.command("cluster", *command, "--account", ACCOUNT, **settings)
    assert done.wait_exit()[0] == 0, done.output()
    return done.out.read_text()


def test_each_order_names_its_claim(harness, etcd):
    etcd.start()
    begin(harness, etcd)
    gateway = harness.gateway("envelope")
    journal = str(harness.directory / "journal-1.db")
    daemon = guarded(harness, gateway, 1, etcd.url, "--journal", journal)
    wait_until("an order", lambda: gateway.requests, 90)
    settings = {"SENTINEL__CLUSTER__MODE": "guard", "SENTINEL__CLUSTER__ENDPOINTS": etcd.url}
    epoch = json.loads(said_by(harness, "status", "--json", **settings))["claim"]["epoch"]
    assert daemon.stop()[0] == 0
    order = harness.orders(journal)[0]
    assert f"claim epoch {epoch}" in harness.run("orders", "show", order["id"], "--journal", journal).stdout
    assert f"claim epoch {epoch}" in harness.run("explain", "--last", "1000", "--journal", journal).stdout


@pytest.mark.long
def test_an_endpoint_that_hangs_does_not_cost_the_claim(harness, etcd):
    """The first of two endpoints stops to answer, with the shortest lease: it is trusted for 3 s."""
    etcd.start()
    begin(harness, etcd)
    hole = Proxy(etcd.port)
    gateway = harness.gateway("envelope")
    daemon = guarded(harness, gateway, 1, f"{hole.url},{etcd.url}", **SHORT)
    wait_until("it holds the account", lambda: holds(daemon), 90)
    for turn in range(3):
        hole.is_cut = turn % 2 == 0
        until = time.monotonic() + 8
        while time.monotonic() < until:
            metrics = daemon.metrics()
            assert metrics.sum("cluster_leader") == 1 and metrics("cluster_lease_remaining_seconds") > 0, daemon.output()
            time.sleep(0.1)
    assert "lost in etcd" not in daemon.output()
    hole.close()


def test_a_daemon_that_ends_gives_the_account_back(harness, etcd):
    etcd.start()
    begin(harness, etcd)
    gateway = harness.gateway("envelope")
    journal = str(harness.directory / "journal-1.db")
    first = guarded(harness, gateway, 1, etcd.url, "--journal", journal)
    wait_until("an order", lambda: gateway.requests, 90)
    assert first.stop()[0] == 0
    settings = {"SENTINEL__CLUSTER__MODE": "guard", "SENTINEL__CLUSTER__ENDPOINTS": etcd.url}
    status = harness.command("cluster", "status", "--account", ACCOUNT, **settings)
    assert status.wait_exit()[0] == 0 and "not held; given back by inf-1" in status.output()
    again = guarded(harness, gateway, 2, etcd.url, "--journal", journal)
    # Nobody is waited for, and the journal knows what was ordered.
    metrics = again.wait_metrics("a cycle", lambda m: m.suppressed().get("already_ordered"), 90)
    assert "not_holder" not in metrics.suppressed() and not any(
        text in again.output() for text in ("waiting up to", "no order is sent for another")
    )
    status = harness.command("cluster", "status", "--account", ACCOUNT, "--json", **settings)
    assert status.wait_exit()[0] == 0
    told = json.loads(status.out.read_text())
    assert told["is_held"] and told["claim"]["record"]["member"] == "inf-2" and told["claim"]["record"]["pid"] == again.pid
    assert senders(gateway) == [1]


def test_without_etcd_nothing_is_sent(harness, etcd):
    etcd.start()
    begin(harness, etcd)
    etcd.stop()
    gateway = harness.gateway("envelope")
    halt_file = str(harness.directory / "halt")
    daemon = guarded(harness, gateway, 1, etcd.url, "--halt-file", halt_file).wait_serving()
    metrics = daemon.wait_metrics("signals", lambda m: m.suppressed().get("not_holder", 0) >= 2, 90)
    assert metrics("cluster_etcd_up") == 0 and metrics("cluster_dead_holder") == 0 and metrics("cluster_lease_remaining_seconds") == 0
    assert daemon.get("/readyz")[0] == 503
    wait_until("it says why", lambda: "cluster: no order is sent, because etcd does not answer" in because(daemon), 60)
    assert "starting without a place in etcd" in daemon.output() and not gateway.requests
    etcd.start()
    wait_until("an order", lambda: gateway.requests, 90)
    wait_until("it is ready", lambda: holds(daemon) and daemon.get("/readyz")[0] == 200, 60)
    etcd.stop()
    wait_until("it stops", lambda: not holds(daemon), 60)
    assert daemon.get("/readyz")[0] == 503
    # Decisions go on, and a halt needs no etcd.
    decided = daemon.metrics().suppressed()["already_ordered"]
    daemon.wait_metrics("decisions", lambda m: m.suppressed()["already_ordered"] > decided + 1, 90)
    assert harness.run("halt", "--halt-file", halt_file).returncode == 0
    daemon.wait_metrics("the halt", lambda m: m("halted") == 1, 90)
    assert harness.run("resume", "--halt-file", halt_file).returncode == 0
    etcd.start()
    wait_until("it holds it again", lambda: holds(daemon), 90)
    assert senders(gateway) == [1]


@pytest.mark.long
def test_a_daemon_cut_off_from_etcd_stops_before_another_begins(harness, etcd):
    etcd.start()
    begin(harness, etcd)
    harness.market.close()
    harness.market = MinuteMarket()
    gateway = harness.gateway("envelope")
    proxy = Proxy(etcd.port)
    first = guarded(harness, gateway, 1, proxy.url, "--interval", "1m")
    wait_until("an order", lambda: gateway.requests, 90)
    proxy.is_cut = True
    wait_until("it stops", lambda: not holds(first), 60)
    second = guarded(harness, gateway, 2, etcd.url, "--interval", "1m")
    wait_until("the second holds it", lambda: holds(second), 120)
    assert not holds(first)
    proxy.is_cut = False
    wait_until("the first says who", lambda: "inf-2 on host" in because(first), 90)
    wait_until("an order of the second", lambda: 2 in senders(gateway), 200)
    assert 1 not in senders(gateway)[senders(gateway).index(2) :]
    assert max(ids(gateway).values()) == 1
    proxy.close()


@pytest.mark.long
def test_a_suspended_holder_sends_nothing_when_it_wakes_up(harness, etcd):
    etcd.start()
    begin(harness, etcd)
    harness.market.close()
    harness.market = MinuteMarket()
    gateway = harness.gateway("envelope")
    first = guarded(harness, gateway, 1, etcd.url, "--interval", "1m")
    wait_until("an order", lambda: gateway.requests, 90)
    first.send(signal.SIGSTOP)
    second = guarded(harness, gateway, 2, etcd.url, "--interval", "1m")
    wait_until("the second holds it", lambda: holds(second), 120)
    before = len(gateway.requests)
    first.send(signal.SIGCONT)
    wait_until("an order of the second", lambda: 2 in senders(gateway)[before:], 200)
    wait_until("the first says who", lambda: "inf-2 on host" in because(first), 90)
    assert 1 not in senders(gateway)[before:] and max(ids(gateway).values()) == 1
    assert any("the account is lost in etcd" in line.get("fields", line).get("message", "") for line in first.logs())


@pytest.mark.long
def test_https_with_an_own_authority_and_a_user(harness, authority, tmp_path):
    etcd = Etcd(tmp_path / "etcd", authority.issue("etcd")).start()
    begin(harness, etcd)
    etcd.require_user("sentinel", "canary-7f3a", "/sentinel")
    password = tmp_path / "password"
    password.write_text("canary-7f3a\n")
    secured = {"cluster.ca_file": authority.ca_file, "cluster.user": "sentinel", "cluster.password_file": password}
    variables = {f"SENTINEL__{key.upper().replace('.', '__')}": str(value) for key, value in secured.items()}
    variables |= {"SENTINEL__CLUSTER__MODE": "guard", "SENTINEL__CLUSTER__ENDPOINTS": etcd.url}
    gateway = harness.gateway("envelope")
    harness.market.close()
    harness.market = MinuteMarket()
    daemon = guarded(harness, gateway, 1, etcd.url, "--interval", "1m", **secured)
    wait_until("an order", lambda: gateway.requests, 90)
    # It forgets the tokens, and closes connections that have an old one.
    etcd.stop()
    etcd.start()
    before = len(gateway.requests)
    # The first one may still be sent on the trust from before.
    wait_until("two more orders", lambda: len(gateway.requests) >= before + 2, 300)
    verify = harness.command("cluster", "verify", "--account", ACCOUNT, **variables)
    code, said = verify.wait_exit()[0], verify.output()
    assert code == 0 and "sentinel may read and write below /sentinel" in said and "held by inf-1" in said, said
    # Without the authority it is not believed, and with another password not let in.
    foreign = {key: value for key, value in variables.items() if "CA_FILE" not in key}
    assert harness.command("cluster", "verify", "--account", ACCOUNT, **foreign).wait_exit()[0] == 1
    password.write_text("canary-0000\n")
    wrong = harness.command("cluster", "verify", "--account", ACCOUNT, **variables)
    assert wrong.wait_exit()[0] == 1 and "etcd refused the user or the password" in wrong.output(), wrong.output()
    assert not any("canary" in text for text in (said, wrong.output(), daemon.output(), daemon.get("/metrics")[2]))
    etcd.close()


def test_an_etcd_that_wants_a_certificate_from_everybody(harness, authority, tmp_path):
    server, client = authority.issue("etcd"), authority.issue("client")
    etcd = Etcd(tmp_path / "etcd", server, authority.ca_file).start()
    begin(harness, etcd)
    files = {"cluster.ca_file": authority.ca_file, "cluster.cert_file": client[0], "cluster.key_file": client[1]}
    gateway = harness.gateway("envelope")
    daemon = guarded(harness, gateway, 1, etcd.url, **files)
    wait_until("an order", lambda: gateway.requests, 90)
    assert holds(daemon)
    variables = {f"SENTINEL__{key.upper().replace('.', '__')}": str(value) for key, value in files.items()}
    variables |= {"SENTINEL__CLUSTER__MODE": "guard", "SENTINEL__CLUSTER__ENDPOINTS": etcd.url}
    assert "held by inf-1" in said_by(harness, "verify", **variables)
    # Without one, or with one of somebody else, nothing is answered.
    none = {key: value for key, value in variables.items() if "CERT_FILE" not in key and "KEY_FILE" not in key}
    foreign = CertificateAuthority(tmp_path, "foreign").issue("foreign")
    stranger = variables | {"SENTINEL__CLUSTER__CERT_FILE": str(foreign[0]), "SENTINEL__CLUSTER__KEY_FILE": str(foreign[1])}
    for settings in (none, stranger):
        refused = harness.command("cluster", "status", "--account", ACCOUNT, **settings)
        assert refused.wait_exit()[0] == 1 and "cannot be reached" not in refused.output(), refused.output()
    # A key of another certificate is found before anything starts.
    wrong = variables | {"SENTINEL__CLUSTER__KEY_FILE": str(foreign[1])}
    refused = harness.command("cluster", "status", "--account", ACCOUNT, **wrong)
    assert refused.wait_exit()[0] == 64 and "cannot be used" in refused.output(), refused.output()
    etcd.close()


def test_a_password_file_that_hangs_stops_neither_start_nor_claim(harness, etcd, tmp_path):
    etcd.start()
    begin(harness, etcd)
    etcd.require_user("sentinel", "canary-7f3a", "/sentinel")
    password, gateway = tmp_path / "password", harness.gateway("envelope")
    os.mkfifo(password)
    files = {"cluster.user": "sentinel", "cluster.password_file": password}
    refused = guarded(harness, gateway, 1, etcd.url, **files)
    assert refused.wait_exit(30)[0] == 64 and "it is not a regular file" in refused.output(), refused.output()
    password.unlink()
    password.write_text("canary-7f3a\n")
    daemon = guarded(harness, gateway, 1, etcd.url, **files)
    wait_until("an order", lambda: gateway.requests, 90)
    # etcd forgets its tokens, and nobody writes to the pipe.
    password.unlink()
    os.mkfifo(password)
    etcd.stop()
    etcd.start()
    wait_until("it says why", lambda: "it is not a regular file" in because(daemon), 60)
    password.unlink()
    password.write_text("canary-7f3a\n")
    wait_until("it holds it again", lambda: holds(daemon), 60)
    assert daemon.stop()[0] == 0


@pytest.mark.long
def test_an_empty_etcd_costs_a_wait_for_the_longest_trust(harness, etcd):
    etcd.start()
    gateway = harness.gateway("envelope")
    daemon = guarded(harness, gateway, 1, etcd.url)
    wait_until("it says that it waits", lambda: "orders may be sent" in daemon.output(), 150)
    waited = re.search(r"no order is sent for another (\d+) s", daemon.output())
    assert waited and int(waited[1]) >= 50, daemon.output()
    # The bar that was there before may have been ordered by another daemon.
    daemon.wait_metrics("signals", lambda m: m.suppressed().get("before_takeover", 0) >= 2, 90)
    assert holds(daemon) and not gateway.requests


def test_a_daemon_without_a_journal_takes_no_account(harness, etcd):
    etcd.start()
    broken = harness.directory / "journal-1.db"
    broken.write_text("no journal " * 1_000)
    daemon = guarded(harness, harness.gateway("envelope"), 1, etcd.url)
    assert daemon.wait_exit(90)[0] == 1, daemon.output()
    key = base64.b64encode(f"/sentinel/{ACCOUNT}/last".encode()).decode()
    assert "kvs" not in etcd.call("/v3/kv/range", key=key)


@pytest.mark.long
def test_one_cycle_without_etcd_is_a_failure(harness, etcd):
    gateway = harness.gateway("envelope")
    settings = {"cluster.mode": "guard", "cluster.endpoints": etcd.url, "cluster.lease_s": 8, "cluster.keepalive_s": 1}
    daemon = harness.start_live(gateway, "--once", settings=settings)
    assert daemon.wait_exit(90)[0] == 1 and "no order can be sent, because etcd does not answer" in daemon.output()
    assert not gateway.requests


def test_live_mode_without_a_claim_says_what_that_means(harness):
    gateway = harness.gateway("envelope")
    daemon = harness.start_live(gateway, "--cycles", "1")
    text = daemon.after_cycles(1).text
    assert not any(f"sentinel_cluster_{name}" in text for name in ("leader", "etcd_up", "lease_remaining_seconds", "members"))
    assert "nothing stops a daemon on another machine from trading this account" in daemon.output()


@pytest.mark.parametrize("settings, said", [
    ({"cluster.mode": "shared"}, 'cluster.trial: must be "accepted" with cluster.mode = "shared", which is a trial'),
    ({"cluster.mode": "shared"}, "cluster.member: is needed with cluster.mode"),
    ({"cluster.mode": "shared", "cluster.member": "inf-1", "cluster.endpoints": "http://127.0.0.1:1", "gateway.dialect": "envelope"},
     "needs gateway.dialect"),
    ({"cluster.mode": "guard", "cluster.endpoints": ""}, "cluster.endpoints: must have 1 to 9 URLs"),
    ({"cluster.mode": "guard", "cluster.endpoints": "http://hub.example:2379"}, "cluster.plaintext"),
    ({"cluster.mode": "guard", "cluster.endpoints": "https://hub:2379", "cluster.ca_file": "/none.pem"}, "cluster.ca_file"),
    ({"cluster.mode": "guard", "cluster.endpoints": "https://hub:2379", "cluster.user": "ann"}, "cluster.password_file"),
    ({"cluster.mode": "guard", "cluster.endpoints": "https://hub:2379", "cluster.cert_file": "/a.pem"}, "cluster.key_file"),
    ({"cluster.mode": "guard", "cluster.endpoints": "https://hub:2379", "cluster.cert_file": "/a.pem", "cluster.key_file": "/a.key"},
     "cluster.cert_file: the file cannot be read"),
    ({"cluster.mode": "guard", "cluster.endpoints": "http://127.0.0.1:1", "cluster.cert_file": "/a.pem", "cluster.key_file": "/a.key"},
     "no endpoint is https://"),
    ({"cluster.lease_s": 7}, "cluster.lease_s: must be 8 to 60 seconds"),
])  # fmt: skip
def test_settings_that_cannot_work_are_refused_at_the_start(harness, settings, said):
    refused = harness.start_live(harness.gateway("envelope"), settings=settings)
    assert refused.wait_exit()[0] == 64 and said in refused.output(), refused.output()


def test_verify_says_what_is_wrong_with_etcd(harness, etcd):
    settings = {"SENTINEL__CLUSTER__MODE": "guard", "SENTINEL__CLUSTER__ENDPOINTS": etcd.url}

    def verified() -> tuple[int, str]:
        command = harness.command("cluster", "verify", "--account", ACCOUNT, **settings)
        return command.wait_exit()[0], command.output()

    code, said = verified()
    assert code == 1 and "start etcd, or correct cluster.endpoints" in said, said
    etcd.start()
    code, said = verified()
    for found in ("etcd 3.4", "within 2 s of this machine's", "not compacted yet", "not held, now or before"):
        assert code == 0 and found in said, said
    # Of several endpoints one is enough.
    settings["SENTINEL__CLUSTER__ENDPOINTS"] = f"http://127.0.0.1:1,{etcd.url}"
    code, said = verified()
    assert code == 0 and "http://127.0.0.1:1" in said, said
    settings["SENTINEL__CLUSTER__ENDPOINTS"] = etcd.url
    revision = int(etcd.call("/v3/kv/range", key="AA==")["header"]["revision"])
    for _ in range(2):
        revision = int(etcd.call("/v3/kv/put", key="AA==", value="AA==")["header"]["revision"])
    etcd.call("/v3/kv/compaction", revision=str(revision))
    assert "it is compacted" in verified()[1]
    etcd.call("/v3/maintenance/alarm", action="ACTIVATE", alarm="NOSPACE")
    code, said = verified()
    assert code == 1 and "NOSPACE" in said and "compact and defragment it" in said, said
