"""Who is answered by the server, what is sent, and what is refused."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agentgym.errors import UserError
from agentgym.viewer.guard import POLICY
from agentgym.viewer.server import Viewer, static_files
from tests.unit.viewer.kit import made, opened, picture


class Asking:
    """A client that sends what it is told to, byte for byte."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.port, self.token = int(parts.port or 0), parts.path.strip("/")

    def get(self, path: str, *, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.putrequest(method, path, skip_host="Host" in named)
            for name, value in named.items():
                connection.putheader(name, value)
            connection.endheaders()
            reply = connection.getresponse()
            return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
        finally:
            connection.close()

    def own(self, path: str, **more: Any) -> tuple[int, dict[str, str], bytes]:
        return self.get(f"/{self.token}/{path}", **more)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def asking(directory: Path) -> Iterator[Asking]:
    with opened(directory) as sources, Viewer(sources) as viewer:
        yield Asking(viewer.url)


def test_the_page_and_its_parts_are_sent_with_the_token(asking: Asking) -> None:
    status, headers, body = asking.own("")
    assert (status, b"<!doctype html>" in body) == (200, True)
    assert headers["content-security-policy"] == POLICY
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    for name, file in static_files().items():
        assert asking.own(name)[::2] == (200, file.read_bytes())


def test_views_are_answered_as_json(asking: Asking) -> None:
    status, headers, body = asking.own("api/episodes?success=true")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert [row["number"] for row in json.loads(body)["rows"]] == [3, 6]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("api/nothing", 400, "there is no view"),
        ("api/episode?number=99", 404, "has no episode number 99"),
        ("api/episodes?limit=x", 400, "limit is 'x'"),
    ],
)
def test_what_is_wrong_with_a_question_is_said(path: str, status: int, said: str, asking: Asking) -> None:
    found, _, body = asking.own(path)
    assert (found, said in json.loads(body)["error"]) == (status, True)


@pytest.mark.parametrize("path", ["/", "/api/runs", "/wrong/api/runs", "/wrong/", "//api/runs", "/TOKEN"])
def test_nobody_is_answered_without_the_token(path: str, asking: Asking) -> None:
    status, headers, body = asking.get(path.replace("TOKEN", asking.token))
    assert (status, b"lacks its token" in body) == (403, True)
    assert headers["content-security-policy"] == POLICY


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "10.0.0.1"])
def test_another_name_is_refused_though_the_token_is_right(host: str, asking: Asking) -> None:
    status, _, body = asking.own("api/runs", Host=host)
    assert status in (400, 403)
    assert b'"run"' not in body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "LOCALHOST", "[::1]:80"])
def test_names_of_this_machine_are_answered(host: str, asking: Asking) -> None:
    assert asking.own("api/pulse", Host=host)[0] == 200


def test_a_page_of_another_site_is_refused(asking: Asking) -> None:
    assert asking.own("api/runs", Sec_Fetch_Site="cross-site")[0] == 403
    assert asking.own("api/runs", Sec_Fetch_Site="same-origin")[0] == 200


def test_nothing_can_be_sent(asking: Asking) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert asking.own("api/runs", method=method)[0] == 405


@pytest.mark.parametrize(
    "path",
    [
        "../guard.py",
        "..%2fguard.py",
        "%2e%2e/guard.py",
        "media/0/..%2f..%2fconfig.json",
        "media/0/../../config.json",
        "media/0/" + "Z" * 32,
        "media/9/" + "0" * 32,
        "media/0/" + "0" * 32,
        "config.json",
        "static/app.js",
        "server.py",
    ],
)
def test_no_other_file_is_sent(path: str, asking: Asking) -> None:
    assert asking.own(path)[0] == 404


def test_an_image_is_sent_by_its_digest(asking: Asking, directory: Path) -> None:
    digest = picture(directory)
    status, headers, body = asking.own(f"media/0/{digest}")
    assert (status, headers["content-type"], body[:4]) == (200, "image/png", b"\x89PNG")


def test_it_listens_to_this_machine_alone_and_each_address_is_another(directory: Path) -> None:
    with opened(directory) as sources, Viewer(sources) as one, Viewer(sources) as other:
        assert one.url.startswith("http://127.0.0.1:")
        assert Asking(one.url).token != Asking(other.url).token
        assert len(Asking(one.url).token) >= 20


def test_a_port_that_is_in_use_is_told(directory: Path) -> None:
    with socket.socket() as taken, opened(directory) as sources:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} cannot be had: Address already in use; type another one"):
            Viewer(sources, port=port)
