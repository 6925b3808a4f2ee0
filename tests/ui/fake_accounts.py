"""A hub that says who somebody is: the OpenID Connect side of signing in, on loopback, for one scripted person."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlparse

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "space-client"


class FakeAccounts:
    """Whoever comes is `person`; remembers the nonce of the last one who was sent here."""

    def __init__(self, person: str) -> None:
        self.person = person
        self.nonce = ""
        self.key = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})
        hub = self

        class Handler(BaseHTTPRequestHandler):
            """The four addresses of the flow."""

            def do_GET(self) -> None:
                where = urlparse(self.path)
                if where.path == "/authorize":
                    asked = {key: values[0] for key, values in parse_qs(where.query).items()}
                    hub.nonce = asked.get("nonce", "")
                    back = asked["redirect_uri"]
                    joined = urlencode({"code": "one-time", "state": asked["state"]})
                    self.send_response(302)
                    self.send_header("Location", f"{back}{'&' if '?' in back else '?'}{joined}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif where.path == "/jwks":
                    self._say({"keys": [hub.key.as_dict(private=False)]})
                else:
                    self._say(
                        {
                            "issuer": hub.address,
                            "authorization_endpoint": hub.address + "/authorize",
                            "token_endpoint": hub.address + "/token",
                            "jwks_uri": hub.address + "/jwks",
                            "id_token_signing_alg_values_supported": ["RS256"],
                        }
                    )

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self._say(
                    {
                        "access_token": "a-secret-access-token",
                        "token_type": "bearer",
                        "expires_in": 3600,
                        "id_token": hub.told(),
                    }
                )

            def _say(self, value: object) -> None:
                body = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def told(self) -> str:
        """The signed statement of who it is."""
        now = int(time.time())
        claims = {
            "iss": self.address,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 600,
            "nonce": self.nonce,
            "sub": self.person,
            "name": "Somebody Real",
            "preferred_username": "somebody",
            "profile": "https://hub.invalid/somebody",
            "picture": "https://hub.invalid/somebody.png",
        }
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)

    def close(self) -> None:
        """No more answers."""
        self._server.shutdown()
