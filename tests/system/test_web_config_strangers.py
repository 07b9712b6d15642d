"""What those without a password can do to a daemon that asks for one, and what they learn from it."""

import threading
import time

from parts.daemon import wait_until
from parts.http import status as scripted
from parts.protected import CHEAP, DEAR, PASSWORD, USER, Protected, basic

WRONG = basic(USER, "wrong")


def test_a_flood_from_other_addresses_keeps_out_no_password_that_is_not_known_yet(rig, tmp_path):
    protected = Protected(rig, tmp_path)
    names = [USER, "grafana"]
    protected.write(tls=None, users=dict.fromkeys(names, DEAR))
    protected.start().wait_serving(tls=False)
    stop, refused = threading.Event(), []

    def flood(source: str):
        while not stop.is_set():
            try:
                status = protected.get("/metrics", WRONG, tls=False, source=source)[0]
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
            # Asked for the first time, with the patience of a scraper.
            assert protected.get("/metrics", basic(name, PASSWORD), tls=False)[0] == 200, name
        assert {401, 429} == set(refused)
    finally:
        stop.set()
        for client in crowd:
            client.join(60)


def test_a_probe_gives_no_reason_to_those_without_a_password(rig, tmp_path):
    rig.market.always = scripted(500)
    protected = Protected(rig, tmp_path)
    protected.write(tls=None, users={USER: CHEAP})
    protected.start().wait_serving(tls=False)
    for authorization in (None, WRONG, basic(USER, PASSWORD)):
        for path, verdict in (("/readyz", "not ready\n"), ("/startupz", "not started\n")):
            assert protected.get(path, authorization, tls=False)[::2] == (503, verdict)
    status, _, health = protected.get("/health", basic(USER, PASSWORD), tls=False)
    assert "not_ready_because" in health and "not_started_because" in health, (status, health)


def test_without_users_a_probe_gives_its_reason(rig):
    rig.market.always = scripted(500)
    daemon = rig.start().wait_serving()
    for path in ("/readyz", "/startupz"):
        status, _, said = daemon.get(path)
        assert status == 503 and said not in ("", "not ready\n", "not started\n"), said
