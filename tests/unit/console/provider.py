"""A real OpenID provider (tests/node/oidc) and a person who signs in there with a browser."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
from tests.system import free_port, until

from freehold.console import Provider

FOLDER = Path(__file__).resolve().parent.parent.parent / "node" / "oidc"

PEOPLE = {
    "ann": {"email": "Ann@Example.org", "email_verified": True, "name": "Ann Lee", "groups": ["staff", "lab-admins"]},
    "bob": {"email": "bob@elsewhere.example", "email_verified": True, "name": "Bob"},
    "eve": {"email": "olga@example.org", "email_verified": False, "name": "Eve"},
    "olga": {"email": "olga@example.org", "email_verified": True, "name": "Olga"},
    "nil": {"preferred_username": "nil", "name": "N\u202eil"},
}


class Idp:
    """The provider, as a process of the tests' own, and the port of the server that people come back to."""

    def __init__(self) -> None:
        self.port = free_port()
        self.back = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def provider(self, name: str, **more: Any) -> Provider:
        """The configuration of the client `name` there."""
        secret = None if name == "public" else f"{name} secret: 100% +/= of it, long enough for anything"
        said = {"title": name.upper(), "issuer": self.issuer, "client_id": name, "client_secret": secret, **more}
        return Provider(name=name, **said)

    def start(self, *, lean: bool = False) -> None:
        """Run it, with new keys. `lean`: its ID tokens hold no address."""
        installed()
        back = f"http://127.0.0.1:{self.back}"
        env = {"PATH": os.environ["PATH"], "PORT": str(self.port), "BACK": back, "PEOPLE": json.dumps(PEOPLE)}
        env |= {"LEAN": "1"} if lean else {}
        self._process = subprocess.Popen(
            ["node", "provider.js"], cwd=FOLDER, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._ready, 30, what="the provider to listen")

    def _ready(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "the provider has ended"
        try:
            url = f"{self.issuer}/.well-known/openid-configuration"
            return bool(httpx2.get(url, trust_env=False).status_code == 200)
        except httpx2.TransportError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


def installed() -> None:
    """Have the provider's packages in place, from their lock file."""
    if not (FOLDER / "node_modules" / "oidc-provider" / "package.json").exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr


async def sign_in_there(client: httpx2.AsyncClient, url: str, who: str, house: str) -> str:
    """Follow `url` as a browser does, fill in the provider's form as `who`, and return the address that it sends the
    browser back to, which is not asked for yet."""
    place, body = url, None
    for _ in range(20):
        if place.startswith(house):
            return place
        answer = await (client.get(place) if body is None else client.post(place, data=body))
        body = None
        if answer.is_redirect:
            place = urljoin(place, answer.headers["location"])
            continue
        assert answer.status_code == 200, answer.text
        action = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
        assert action is not None, answer.text
        place = urljoin(place, html.unescape(action[1]))
        prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
        body = {"prompt": prompt[1] if prompt else "login", "login": who, "password": "anything"}
    raise AssertionError(f"the provider went round and round: {urlsplit(place).path}")
