"""What clients without a password can do to a protected daemon, and what they learn from it."""

import threading
import time

import pytest

from parts.daemon import wait_until
from parts.http import status as scripted
from parts.secured_daemon import CHEAP, DEAR, PASSWORD, USER, basic

WRONG = basic(USER, "wrong")


@pytest.mark.long
def test_a_flood_does_not_block_a_new_password(secured):
    names = [USER, "grafana"]
    secured.write(tls=None, users=dict.fromkeys(names, DEAR))
    secured.start().wait_serving(tls=False)
    stop, refused = threading.Event(), []

    def flood(source: str):
        while not stop.is_set():
            try:
                status = secured.get("/metrics", WRONG, tls=False, source=source)[0]
            except OSError:
                continue
            refused.append(status)
            if status == 429:
                time.sleep(0.02)

    crowd = [threading.Thread(target=flood, args=(f"127.0.0.{2 + n % 2}",), daemon=True) for n in range(24)]
    for client in crowd:
        client.start()
    try:
        wait_until("each has all the places it may have, and some are checked", lambda: {401, 429} <= set(refused), 30)
        for name in names:
            # Used for the first time, with a scraper's timeout.
            assert secured.get("/metrics", basic(name, PASSWORD), tls=False)[0] == 200, name
        assert {401, 429} == set(refused)
    finally:
        stop.set()
        for client in crowd:
            client.join(60)


def test_a_probe_gives_no_reason_without_a_password(harness, secured):
    harness.market.always = scripted(500)
    secured.write(tls=None, users={USER: CHEAP})
    secured.start().wait_serving(tls=False)
    for authorization in (None, WRONG, basic(USER, PASSWORD)):
        for path, verdict in (("/readyz", "not ready\n"), ("/startupz", "not started\n")):
            assert secured.get(path, authorization, tls=False)[::2] == (503, verdict)
    status, _, health = secured.get("/health", basic(USER, PASSWORD), tls=False)
    assert "not_ready_because" in health and "not_started_because" in health, (status, health)


def test_without_users_a_probe_gives_its_reason(harness):
    harness.market.always = scripted(500)
    daemon = harness.start().wait_serving()
    for path in ("/readyz", "/startupz"):
        status, _, said = daemon.get(path)
        assert status == 503 and said not in ("", "not ready\n", "not started\n"), said
