"""Runs the commands for a certificate in config/monitoring/README.md: `verify inf` and Prometheus accept the result. And those for the
console in docker/README.md."""

import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from parts.console_contract import API
from parts.daemon import free_port, wait_until
from parts.paths import MONITORING, ROOT
from parts.prometheus import Prometheus
from parts.requirements import require
from parts.secured_daemon import CHEAP, PASSWORD, SecuredDaemon, basic
from parts.verify import Verdict, verify

README = MONITORING / "README.md"
END_ENTITY = "-addext basicConstraints=critical,CA:FALSE"


def recipe() -> str:
    """The command `openssl req` with this machine's address."""
    lines = README.read_text().splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("openssl req -x509"))
    end = next(n for n in range(begin, len(lines)) if not lines[n].endswith("\\"))
    command = "\n".join(lines[begin : end + 1])
    assert command.count("IP:172.19.141.250") == 1 and END_ENTITY in command
    return command.replace("172.19.141.250", "127.0.0.1")


def make(command: str, directory: Path) -> Path:
    """Runs it in a folder; the certificate."""
    require("openssl")
    done = subprocess.run(["bash", "-c", command], cwd=directory, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return directory / "sentinel-tls.pem"


def look(secured: SecuredDaemon, roots: Path) -> Verdict:
    """`verify inf` with these root certificates."""
    url = f"https://127.0.0.1:{secured.daemon.port}"
    args = ["inf", "--url", url, "--hub", "127.0.0.1", "--wait", "0"]
    return verify(secured.harness.binary, *args, SSL_CERT_FILE=str(roots))


def serve(secured: SecuredDaemon, certificate: Path):
    """Starts the daemon with TLS and no password, and waits for it."""
    secured.write()
    secured.start().wait_serving(context=ssl.create_default_context(cafile=certificate))


def test_verify_inf_and_prometheus_accept_the_certificate(secured, tmp_path):
    certificate = make(recipe(), tmp_path)
    serve(secured, certificate)
    found = look(secured, certificate)
    assert found.code == 0, found.out

    config = tmp_path / "prometheus.yml"
    config.write_text(
        f"scrape_configs: [{{job_name: sentinel, scrape_interval: 1s, scrape_timeout: 1s, scheme: https, "
        f"tls_config: {{ca_file: {certificate}}}, static_configs: [{{targets: ['127.0.0.1:{secured.daemon.port}']}}]}}]"
    )
    prometheus = Prometheus(config, tmp_path / "prometheus")
    try:
        wait_until("a scrape", lambda: prometheus.value('up{job="sentinel"}') == 1, 30)
    finally:
        prometheus.close()

    older = tmp_path / "older.pem"
    older.write_bytes(certificate.read_bytes())
    make(recipe(), tmp_path)
    wait_until("the new certificate", lambda: look(secured, certificate).code == 0)
    found = look(secured, older)
    assert "metrics" in found.failed and "current cert_file" in found.advice("metrics"), found.out


@pytest.mark.parametrize(
    ("written", "instead", "names", "advice"),
    [
        (END_ENTITY, "", "CaUsedAsEndEntity", "CA:FALSE"),
        ("IP:127.0.0.1", "IP:127.0.0.9", "127.0.0.9", "subjectAltName"),
    ],
    ids=["an authority", "another address"],
)
def test_other_certificates_are_refused_with_advice(secured, tmp_path, written, instead, names, advice):
    certificate = make(recipe().replace(written, instead), tmp_path)
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    secured.write()
    secured.start().wait_serving(context=context)
    found = look(secured, certificate)
    assert {"health", "metrics"} <= found.failed, found.out
    assert names in found.found("metrics") and advice in found.advice("metrics"), found.out


def test_the_consoles_commands_give_it_tls_and_users(harness, tmp_path):
    page = (ROOT / "docker/README.md").read_text()
    commands = page[page.index("umask 077\nopenssl req") :].split("```")[0].replace("172.19.141.250", "127.0.0.1")
    # It asks for a password, and prints a line and an empty one.
    asks = f"htpasswd() {{ [ \"$*\" = '-nBC 10 ann' ] && printf '%s\\n\\n' 'ann:{CHEAP}'; }}\n"
    require("openssl")
    done = subprocess.run(["bash", "-ec", asks + commands], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / f"console.{kind}").stat().st_mode & 0o077 == 0 for kind in ("yml", "key", "pem"))
    port = free_port()
    settings = {"enabled": "true", "port": port, "bind": "0.0.0.0", "operators": "ann", "web_config_file": tmp_path / "console.yml"}
    harness.start(settings={f"console.{name}": value for name, value in settings.items()})
    context = ssl.create_default_context(cafile=tmp_path / "console.pem")

    def status(**headers: str) -> int | None:
        asked = urllib.request.Request(f"https://127.0.0.1:{port}{API}system", headers=headers)
        try:
            return urllib.request.urlopen(asked, timeout=5, context=context).status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    wait_until("ann is let in", lambda: status(Authorization=basic("ann", PASSWORD)) == 200, 15)
    assert status() == 401
