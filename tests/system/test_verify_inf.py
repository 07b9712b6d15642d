"""`sentinel verify inf`: its checks for a healthy daemon, and for everything that can be wrong with one."""

import os
import pwd
import re
import signal
import socket
import subprocess
import time

import pytest

from parts.certificates import CertificateAuthority
from parts.daemon import Daemon, environment, free_port
from parts.http import hang, status
from parts.http import text as says
from parts.secured_daemon import CHEAP, PASSWORD, USER
from parts.verify import CYCLES, EVIDENCE, UPTIME, FakeDaemon, run, verify

OF_THE_TEXT = {"format", "text", "families", "uptime", "cycles", "backwards"}
NOT_SEEN_FROM_HERE = {"openmetrics", "firewall"}
LIVE = {"SENTINEL__LOG__FORMAT": "json"}


@pytest.fixture(scope="module")
def demo(binary, tmp_path_factory):
    """A real daemon with a cycle per second that listens on all addresses."""
    port = free_port()
    env = environment(METRICS_PORT=str(port), **LIVE)
    daemon = Daemon(binary, ["demo", "--cycle-seconds", "1", "--bind", "0.0.0.0"], env, tmp_path_factory.mktemp("demo") / "daemon", port)
    daemon.after_cycles(200, 60)
    yield daemon
    daemon.close()


@pytest.fixture(scope="module")
def text(demo) -> str:
    """The metrics of a real daemon."""
    return demo.get("/metrics")[2]


@pytest.fixture
def check(binary):
    """Verifies a fake daemon from a HUB on this machine, and ends it after the test."""
    fakes = []

    def check(fake):
        fakes.append(fake)
        return verify(binary, "inf", "--url", fake.url, "--hub", "127.0.0.1", "--wait", "2")

    yield check
    for fake in fakes:
        fake.close()


@pytest.mark.long
def test_a_healthy_daemon_passes_every_check(binary, demo):
    url = f"http://127.0.0.1:{demo.port}"
    found = verify(binary, "inf", "--url", url, "--hub", "127.0.0.1", "--wait", "30")
    assert (found.code, found.failed, found.noted) == (0, set(), NOT_SEEN_FROM_HERE), found.out
    user = pwd.getpwuid(os.getuid()).pw_name
    assert re.match(rf"pid {demo.pid}, user {user}, since 20\S+ \S+ UTC: .*sentinel demo", found.found("process"))
    assert found.found("port") == f"{demo.port} listens on 0.0.0.0"
    assert re.fullmatch(EVIDENCE, found.found("metrics"))
    assert found.found("families").startswith("all 18 that HUB relies on, with their types, labels and 30 original buckets")
    assert f"HUB (127.0.0.1) will scrape {url}/metrics" in found.found("address")
    for rule in (
        f"nft insert rule inet filter input ip saddr 127.0.0.1 tcp dport {demo.port} accept",
        f"iptables -I INPUT -p tcp -s 127.0.0.1 --dport {demo.port} -j ACCEPT",
        f"ufw allow proto tcp from 127.0.0.1 to any port {demo.port}",
    ):
        assert rule in found.found("firewall").split("\n")


def test_the_text_output_has_marks_and_a_verdict(binary, demo):
    done = run(binary, "inf", "--url", f"http://127.0.0.1:{demo.port}", "--hub", "127.0.0.1")
    assert done.returncode == 0, done.stdout
    marks = re.findall(r"^  (ok|--|FAILED) +(\w+(?: \w+)?)  ", done.stdout, re.MULTILINE)
    names = ["process", "port", "health", "metrics", "format", "text", "families", "uptime", "cycles", "backwards", "clock"]
    assert [name for _, name in marks] == [*names, "openmetrics", "address", "from outside", "firewall"]
    assert done.stdout.endswith("\nHUB can scrape this daemon.\n")


def test_a_closed_output_pipe_is_no_error(binary, demo):
    ours, its = os.pipe()
    os.close(ours)
    command = [binary, "verify", "inf", "--url", f"http://127.0.0.1:{demo.port}", "--hub", "127.0.0.1"]
    done = subprocess.run(command, env=environment(), stdout=its, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(its)
    assert done.returncode == 0 and "panicked" not in done.stderr


def test_the_address_is_that_of_the_route_to_hub(binary, demo):
    # 198.51.100.0/24 is for documentation: the route to it is the default route, and a machine without one reports that.
    found = verify(binary, "inf", "--url", f"http://127.0.0.1:{demo.port}", "--hub", "198.51.100.7")
    assert "ip saddr 198.51.100.7 " in found.found("firewall")
    if found.code == 0:
        assert re.match(rf"HUB \(.+\) will scrape http://(?!127\.)[\d.]+:{demo.port}/metrics", found.found("address"))
    else:
        assert found.failed == {"address", "from outside"} and "no route to HUB" in found.found("address")
    found = verify(binary, "inf", "--url", f"http://127.0.0.1:{demo.port}", "--hub", "hub.invalid")
    assert found.failed == {"address", "from outside"} and "--hub" in found.advice("address")


def test_a_closed_port_skips_no_check(binary):
    found = verify(binary, "inf", "--url", f"http://127.0.0.1:{free_port()}", "--hub", "127.0.0.1")
    assert found.code == 1
    assert found.failed == {"process", "port", "health", "metrics", "clock", "from outside"} | OF_THE_TEXT
    assert "sentinel run" in found.advice("port")


def test_a_daemon_on_loopback_is_unreachable_for_hub(binary, tmp_path):
    port = free_port()
    env = environment(METRICS_PORT=str(port), SENTINEL__METRICS__BIND="127.0.0.1", **LIVE)
    daemon = Daemon(binary, ["demo", "--cycle-seconds", "1"], env, tmp_path / "daemon", port)
    try:
        daemon.after_cycles(1, 60)
        found = verify(binary, "inf", "--url", f"http://127.0.0.1:{port}", "--hub", "198.51.100.7")
    finally:
        daemon.close()
    assert found.code == 1 and {"port", "from outside"} <= found.failed <= {"port", "address", "from outside"}
    assert "127.0.0.1 only" in found.found("port") and "metrics.bind" in found.advice("port")


def test_a_port_also_open_on_ipv6_is_noted_with_advice(check, text):
    assert "ipv6" not in check(FakeDaemon(text)).noted
    for address, is_noted in (("::1", False), ("::", True)):
        fake = FakeDaemon(text)
        port = int(fake.url.rsplit(":", 1)[1])
        with socket.create_server((address, port), family=socket.AF_INET6, dualstack_ipv6=False):
            found = check(fake)
        assert ("ipv6" in found.noted) == is_noted and "port" not in found.failed
    assert "SENTINEL_ADDRESS" in found.found("ipv6")
    assert f"ip6tables -I INPUT ! -i lo -p tcp --dport {port} -j DROP" in found.found("ipv6").split("\n")


def test_another_program_on_the_port_is_detected(check, text):
    fake = FakeDaemon(text)
    fake.always = status(404, "<html>")
    found = check(fake)
    assert found.failed == {"process", "health", "metrics", "clock", "from outside"} | OF_THE_TEXT
    assert re.search(r"pid \d+, .*python.*\nthis is not Sentinel", found.found("process"))
    assert "another port" in found.advice("process") and "another program" in found.advice("health") and "404" in found.found("metrics")
    fake = FakeDaemon(text)
    fake.always = says("<html>\n<body>\nhello\n", Content_Type="text/html")
    found = check(fake)
    assert found.failed == {"process", "health", "text"} | OF_THE_TEXT
    assert "line 1" in found.found("text") and "text/html" in found.found("format")


def test_a_proxy_before_the_daemon_is_accepted(check, text):
    found = check(FakeDaemon(text))
    assert (found.code, found.failed) == (0, set()) and "process" in found.noted, found.out
    assert "but it answers as one" in found.found("process")


def test_a_stopped_daemon_differs_from_a_firewall(binary, demo):
    url = f"http://127.0.0.1:{demo.port}"
    demo.send(signal.SIGSTOP)
    began = time.monotonic()
    try:
        found = verify(binary, "inf", "--url", url, "--hub", "127.0.0.1")
    finally:
        demo.send(signal.SIGCONT)
    assert time.monotonic() - began < 5 and found.code == 1
    assert f"pid {demo.pid}" in found.found("process") and "it is stopped (SIGSTOP)" in found.found("process")
    assert "kill -CONT" in found.advice("process")
    assert found.found("metrics") == "not checked: the process is stopped" and "port" not in found.failed
    assert "a firewall in between" not in found.out
    assert verify(binary, "inf", "--url", url, "--hub", "127.0.0.1", "--wait", "10").code == 0


@pytest.mark.long
def test_a_silent_program_differs_from_a_firewall(check, text):
    fake = FakeDaemon(text)
    fake.always = hang
    found = check(fake)
    assert {"process", "health", "metrics", "from outside"} <= found.failed and "port" not in found.failed
    for name in ("health", "metrics"):
        assert "hangs or is stopped" in found.advice(name) and "a firewall in between" not in found.advice(name)
    assert found.found("uptime") == "not checked: nothing answers"


def test_a_wrong_clock_is_reported(check, text):
    def at(date: str):
        fake = FakeDaemon(text, lambda text, _: re.sub(r"(?m)^(sentinel_time_seconds) .*$", r"\1 946684800", text))

        def late(handler, request):
            handler.date_time_string = lambda *_: date
            fake.serve(handler, request)

        fake.always = late
        return check(fake)

    found = at("Sat, 01 Jan 2000 00:00:00 GMT")
    assert found.failed == {"clock"} and " s behind, " in found.found("clock") and "NTP" in found.advice("clock")


def test_the_checks_of_health_are_shown(check, text):
    def health(status: str, code: int):
        fake = FakeDaemon(text)
        journal = {"name": "journal", "status": status, "detail": "the journal cannot be written\n  ok  x"}
        market = {"name": "market", "status": "ok", "detail": "open"}
        fake.health = code, {"status": status, "checks": [journal, market]}
        return check(fake)

    found = health("fail", 503)
    assert found.failed == {"health"} and "503" in found.advice("health")
    assert found.found("health") == "status 503\njournal: the journal cannot be written   ok  x"
    assert "health fail" in found.found("metrics")
    found = health("degraded", 200)
    assert found.code == 0 and "health" in found.noted and "journal: " in found.found("health")


SENDS = "sentinel_zmq_send_failures_total"
# Each: a pattern and its replacement, the check that fails first, and its text.
BROKEN = {
    "family missing": ("sentinel_last_cycle_timestamp_unix", "x", "families", "last_cycle_timestamp_unix is missing"),
    "bound respelled": ('_bucket{le="1.0"}', '_bucket{le="1"}', "families", 'has no bucket le="1.0"'),
    "bound moved": ('latency_seconds_bucket{le="0.05"}', 'latency_seconds_bucket{le="0.06"}', "families", 'le="0.05"'),
    "child missing": ('="hub",error_code="504"', '="hub",error_code="505"', "families", '"504"} is missing'),
    "label more": (f"\n{SENDS} ", f'\n{SENDS}{{symbol="EURUSD"}} ', "families", f"{SENDS} without labels is missing"),
    "type changed": (f"TYPE {UPTIME} gauge", f"TYPE {UPTIME} counter", "families", "is a counter, not a gauge"),
    "series twice": (f"\n{SENDS} ", f"\n{SENDS} 0\n{SENDS} ", "text", "is a duplicate"),
    "negative counter": (f"\n{SENDS} 0", f"\n{SENDS} -1", "text", f"the counter {SENDS} is -1"),
    "no number": (f"\n{SENDS} ", f"\n{SENDS} x", "text", "is not a value for"),
    "another type": ("TYPE process_threads gauge", "TYPE process_threads summary", "text", 'the type "summary"'),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_text_that_breaks_the_contract_is_refused(check, text, case):
    before, after, name, words = BROKEN[case]
    assert before in text
    found = check(FakeDaemon(text, lambda text, _: text.replace(before, after)))
    unread = {"families", "uptime", "cycles", "backwards"} if name == "text" else set()
    assert found.failed == {name} | unread, found.out
    assert words in found.found(name)


def test_a_truncated_text_is_refused(check, text):
    found = check(FakeDaemon(text, lambda text, _: text[:-1]))
    assert "text" in found.failed and "cut off" in found.found("text")


def test_a_wrong_content_type_is_refused(check, text):
    fake = FakeDaemon(text)
    fake.content_type = "text/plain"
    found = check(fake)
    assert found.failed == {"format"} and '"text/plain" is not' in found.found("format")


def test_a_decreasing_counter_is_named(check, text):
    sample = re.search(r"^sentinel_prediction_requests_total (\d+)$", text, re.MULTILINE)
    assert int(sample[1]) > 0

    def falls(text: str, scrape: int) -> str:
        return text if scrape == 1 else text.replace(sample[0], "sentinel_prediction_requests_total 0")

    found = check(FakeDaemon(text, falls))
    assert found.failed == {"backwards"}
    assert found.found("backwards") == f"sentinel_prediction_requests_total[] was {sample[1]} and is 0 now"


def test_a_constant_text_is_detected(check, text):
    def stands(_: str, scrape: int) -> str:
        return text

    found = check(FakeDaemon(text, stands))
    # Its clock also stands still.
    assert found.failed == {"uptime", "clock"} and "did not rise" in found.found("uptime")
    # The wait is too short to blame the daemon.
    assert "cycles" in found.noted and re.match(r"no cycle ended within \d s", found.found("cycles"))

    def idles(text: str, _: int) -> str:
        return re.sub(rf"^{CYCLES} .*$", f"{CYCLES} 7", text, flags=re.MULTILINE)

    fake = FakeDaemon(text, idles)
    schedule = {"name": "schedule", "status": "ok", "detail": "all cycles asked for have run"}
    fake.health = 200, {"status": "ok", "checks": [schedule]}
    found = check(fake)
    assert found.code == 0 and "all scheduled cycles have run" in found.found("cycles")


def test_tls_and_password_are_used_but_not_shown(secured, tmp_path):
    secured.write(users={USER: CHEAP})
    daemon = secured.start().wait_serving().daemon
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    login = ["--user", USER, "--password-file", str(password)]

    def look(scheme: str, authority: CertificateAuthority, *args: str):
        url, roots = f"{scheme}://127.0.0.1:{daemon.port}", {"SSL_CERT_FILE": str(authority.ca_file)}
        found = verify(secured.harness.binary, "inf", "--url", url, "--hub", "127.0.0.1", "--wait", "0", *args, **roots)
        assert PASSWORD not in found.out + found.err
        return found

    found = look("https", secured.authority, *login)
    assert found.code == 0, found.out
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong\n")
    found = look("https", secured.authority, "--user", USER, "--password-file", str(wrong))
    assert "401" in found.found("metrics") and "the password is wrong" in found.advice("metrics")
    found = look("https", secured.authority)
    assert "401" in found.found("metrics") and "--password-file" in found.advice("metrics")
    found = look("https", CertificateAuthority(tmp_path, "theirs"), *login)
    assert "metrics" in found.failed and "SSL_CERT_FILE" in found.advice("metrics"), found.out
    found = look("http", secured.authority, *login)
    assert "metrics" in found.failed and "https" in found.advice("metrics"), found.out


@pytest.mark.parametrize(
    "args",
    [
        ["--url", "127.0.0.1:8000"],
        ["--url", "http://no such host"],
        ["--url", "http://sentinel.invalid:8000"],
        ["--wait", "soon"],
        ["--user", "hub"],
        ["--user", "hub", "--password-file", "/nowhere"],
        ["--unknown"],
    ],
    ids=lambda args: " ".join(args),
)
def test_contradictory_flags_are_refused(binary, args):
    done = run(binary, "inf", *args)
    assert (done.returncode, done.stdout) == (64, ""), done.stdout
    assert done.stderr
