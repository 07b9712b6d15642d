"""CURVE in front of a gateway: decrypts and forwards messages from the right keys, and accepts no others."""

import shutil
import threading
from pathlib import Path

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from parts.gateway import Gateway


class Keys:
    """Key pairs of a gateway, of the daemon that it accepts, and of an unknown client, as files in a directory."""

    NAMES = ("gateway", "sentinel", "stranger")

    def __init__(self, directory: Path):
        self.directory = directory
        directory.mkdir()
        for name in self.NAMES:
            zmq.auth.create_certificates(directory, name)
            public, secret = self.pair(name)
            (directory / f"{name}.z85").write_bytes(public + b"\n")
            (directory / f"{name}.secret_z85").write_bytes(secret + b"\n")
        self.known = directory / "known"
        self.known.mkdir()
        shutil.copy(directory / "sentinel.key", self.known)

    def pair(self, name: str) -> tuple[bytes, bytes]:
        """Public and secret key in Z85."""
        return zmq.auth.load_certificate(self.directory / f"{name}.key_secret")

    def secrets(self) -> list[str]:
        """The secret keys, which must never be shown."""
        return [self.pair(name)[1].decode() for name in self.NAMES]

    def settings(self, server: str = "gateway", client: str = "sentinel", bare: bool = False) -> dict[str, object]:
        """The three settings. `bare` files contain only the key."""
        public, secret = ("z85", "secret_z85") if bare else ("key", "key_secret")
        return {
            "gateway.curve_server_key_file": self.directory / f"{server}.{public}",
            "gateway.curve_public_key_file": self.directory / f"{client}.{public}",
            "gateway.curve_secret_key_file": self.directory / f"{client}.{secret}",
        }


class CurveFront:
    """A CURVE server with its own port, for one gateway. It accepts only the client `sentinel`."""

    def __init__(self, gateway: Gateway, keys: Keys):
        self._stop = threading.Event()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(gateway.port, keys, ready), daemon=True)
        self._thread.start()
        assert ready.wait(5), "the CURVE front could not bind"

    def close(self):
        """Stops listening."""
        self._stop.set()
        self._thread.join(5)

    def _run(self, gateway_port: int, keys: Keys, ready: threading.Event):
        context = zmq.Context()
        known = ThreadAuthenticator(context)
        known.start()
        known.configure_curve(location=keys.known)
        front, back = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        front.linger = back.linger = 0
        front.curve_server = True
        front.curve_publickey, front.curve_secretkey = keys.pair("gateway")
        self.port = front.bind_to_random_port("tcp://127.0.0.1")
        back.connect(f"tcp://127.0.0.1:{gateway_port}")
        ready.set()
        poller = zmq.Poller()
        poller.register(front, zmq.POLLIN)
        poller.register(back, zmq.POLLIN)
        while not self._stop.is_set():
            readable = dict(poller.poll(20))
            for source, sink in ((front, back), (back, front)):
                if source in readable:
                    sink.send_multipart(source.recv_multipart())
        front.close()
        back.close()
        known.stop()
        context.term()
