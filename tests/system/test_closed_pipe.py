"""Commands whose reader is gone: they do what they were asked, end as they would have ended, and do not panic."""

import os
import subprocess

import pytest

from parts.daemon import environment, free_port, wait_until

COMMANDS = {
    "check": ["check"],
    "halt": ["halt", "--halt-file", "{folder}/HALT"],
    "resume": ["resume", "--halt-file", "{folder}/HALT"],
    "orders": ["orders"],
    "explain": ["explain"],
    "healthcheck": ["healthcheck", "--url", "http://127.0.0.1:{port}/health"],
    "verify gateway": ["verify", "gateway", "--gtw-host", "127.0.0.1", "--gtw-port", "{port}", "--dialect", "v43"],
    "verify market": ["verify", "market"],
    "verify model": ["verify", "model"],
    "verify inf": ["verify", "inf", "--url", "http://127.0.0.1:{port}"],
    "verify hub": ["verify", "hub", "--inf", "http://127.0.0.1:{port}", "--prometheus", "http://127.0.0.1:{port}"],
    "soak": ["soak", "--help"],
}


def ended(binary, args, folder, out):
    """Exit code and stderr of a command that writes to `out`, a file descriptor."""
    port = str(free_port())
    args = [arg.replace("{folder}", str(folder)).replace("{port}", port) for arg in args]
    model = {"SENTINEL_MODEL__HOST": "127.0.0.1", "SENTINEL_MODEL__PORT": port, "SENTINEL_DATA__BASE_URL": f"http://127.0.0.1:{port}"}
    env = environment(STATE_DIRECTORY=str(folder), **model)
    done = subprocess.run([binary, *args], stdout=out, stderr=subprocess.PIPE, text=True, env=env, timeout=60, cwd=folder)
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_closed_pipe_changes_no_exit_code(binary, tmp_path, name):
    codes = []
    for reads in (True, False):
        folder = tmp_path / str(reads)
        folder.mkdir()
        reader, writer = os.pipe()
        if not reads:
            os.close(reader)
        code, complaint = ended(binary, COMMANDS[name], folder, writer)
        os.close(writer)
        if reads:
            os.close(reader)
        assert "panicked" not in complaint and code not in (101, -13), complaint
        codes.append(code)
    assert codes[0] == codes[1]


def test_a_closed_stderr_does_not_panic_either(binary, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    wrong = subprocess.run([binary, "check", "--config", "missing.toml"], stdout=subprocess.PIPE, stderr=writer, env=environment(), cwd=tmp_path)
    os.close(writer)
    assert wrong.returncode == 64


def test_a_sandbox_without_a_reader_serves(binary, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    port = free_port()
    served = subprocess.Popen(
        [binary, "sandbox", "gateway", "--port", str(port)], stdout=writer, stderr=subprocess.PIPE, env=environment(), cwd=tmp_path
    )
    os.close(writer)
    try:
        ask = ["verify", "gateway", "--gtw-host", "127.0.0.1", "--gtw-port", str(port), "--dialect", "v43"]
        wait_until("an answer", lambda: subprocess.run([binary, *ask], env=environment(STATE_DIRECTORY=str(tmp_path)), capture_output=True).returncode == 0)
    finally:
        served.terminate()
    assert served.wait(10) == 0, served.stderr.read()
