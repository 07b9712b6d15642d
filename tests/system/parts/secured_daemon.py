"""A daemon behind a web-config file, and a client that trusts a certificate authority and may know a password."""

import base64
import http.client
import ssl
from pathlib import Path

from parts.certificates import CertificateAuthority
from parts.daemon import Daemon, wait_until
from parts.harness import Harness

USER, PASSWORD, NEW_PASSWORD = "hub", "correct horse", "new password"
# bcrypt hashes of PASSWORD: cheap (in htpasswd's form) and expensive; and one of NEW_PASSWORD.
CHEAP = "$2y$04$9BF5Djm3vG8khfy1Len.cuk/uasLAEWB2ZmlPsVNRm5zFgl56Zbsm"
DEAR = "$2b$12$BbBt4zgfQq1WdYHRnIcl/eMqva3F.zUXtZik5MZGDgCJ1NjXxDB9G"
NEW = "$2b$04$afsfG6hpu5Z0N1yJIQjsVOzPBnGGxUT0o5u24xBeEDA9B.6jPylJy"
PROBES = ("/livez", "/readyz", "/startupz")


def basic(user: str, password: str) -> str:
    """The header `Authorization`."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class SecuredDaemon:
    """The directory of a web-config file `web.yml`, its certificate authority, and the daemon that uses it."""

    def __init__(self, harness: Harness, directory: Path):
        self.harness, self.directory = harness, directory
        self.authority = CertificateAuthority(directory, "ours")
        self.authority.issue("sentinel-tls")
        self.file = directory / "web.yml"
        self.daemon: Daemon | None = None

    def write(self, tls: str | None = "", users: dict[str, str] | None = None) -> Path:
        """Writes the file. `tls` is added to the lines of the certificate; `None` means no TLS."""
        text = ""
        if tls is not None:
            text += f"tls_server_config:\n  cert_file: sentinel-tls.pem\n  key_file: sentinel-tls.key\n{tls}"
        if users is not None:
            text += "basic_auth_users:\n" + "".join(f"  {name}: {hash}\n" for name, hash in users.items())
        self.file.write_text(text)
        return self.file

    def start(self, *args: str, **settings: object) -> "SecuredDaemon":
        """Starts `sentinel run` with the file. The keyword arguments are settings of [metrics]."""
        settings = {f"metrics.{name}": value for name, value in settings.items()}
        settings |= {"metrics.web_config_file": self.file, "log.level": "trace", "log.format": "json"}
        self.daemon = self.harness.start(*args, settings=settings)
        return self

    def wait_serving(self, **how: object) -> "SecuredDaemon":
        """Returns once /livez is answered."""
        wait_until("an answer of /livez", lambda: self._answers(**how), 15)
        return self

    def _answers(self, **how: object) -> bool:
        try:
            return self.get("/livez", **how)[0] == 200
        except OSError:
            return False

    def get(
        self,
        path: str,
        authorization: str | None = None,
        method: str = "GET",
        context: ssl.SSLContext | None = None,
        tls: bool = True,
        source: str = "127.0.0.1",
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers in lower case, and body. Raises OSError if there is no answer."""
        port, how = self.daemon.port, {"timeout": 10, "source_address": (source, 0)}
        if tls:
            context = context or self.context()
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, **how)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", port, **how)
        try:
            connection.request(method, path, headers={"Authorization": authorization} if authorization else {})
            answer = connection.getresponse()
            body = answer.read().decode()
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, body
        except http.client.HTTPException as error:
            raise OSError(f"no HTTP: {error!r}") from None
        finally:
            connection.close()

    def context(self, authority: CertificateAuthority | None = None) -> ssl.SSLContext:
        """Trusts only this authority, by default ours."""
        return ssl.create_default_context(cafile=(authority or self.authority).ca_file)
