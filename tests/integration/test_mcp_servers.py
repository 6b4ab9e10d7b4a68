"""MCP servers of other people: each starts, lists its tools, and does a thing that can be checked.

They are found on the PATH; ``.ci/run`` installs them.
"""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="needs the extra mcp")

from agentgym.environments.mcp import MCP

pytestmark = pytest.mark.slow


def serve(name: str, *arguments: str, **options: Any) -> MCP:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    env = MCP(command=[name, *arguments], timeout=60, **options)
    env.reset(seed=0)
    assert env.left_out == {}
    return env


def did(env: MCP, name: str, **arguments: Any) -> str:
    """What a call answers, which must not be refused."""
    seen, *_, info = env.step(json.dumps({"name": name, "arguments": arguments}))
    assert "invalid_action" not in info
    return str(seen)


def test_everything() -> None:
    env = serve("mcp-server-everything")
    assert "The server says: " in env.instructions
    assert did(env, "echo", message="hi") == "Echo: hi"
    assert did(env, "get-sum", a=1, b=2) == "The sum of 1 and 2 is 3."
    assert "\n[image]\n" in did(env, "get-tiny-image")
    embedded = did(env, "get-resource-reference", resourceType="Text", resourceId=1)
    assert "\n[demo://resource/dynamic/text/1]\nResource 1: This is a plaintext resource" in embedded
    assert did(env, "get-resource-links", count=2).count("\n[resource demo://resource/dynamic/") == 2
    assert set(json.loads(did(env, "get-structured-content", location="New York"))) == {
        "temperature",
        "conditions",
        "humidity",
    }
    assert env.step("get-resource-reference(resourceType=Nothing, resourceId=1)")[4]["invalid_action"].startswith(
        "get-resource-reference: the argument \"resourceType\": 'Nothing' is not one of ['Text', 'Blob']"
    )
    env.close()


def test_everything_reports_progress_for_longer_than_the_time_out() -> None:
    env = serve("mcp-server-everything")
    assert env._link is not None
    env._link.timeout = 2.0
    assert did(env, "trigger-long-running-operation", duration=4, steps=8).startswith(
        "Long running operation completed"
    )
    env.close()


def test_everything_has_the_variables_that_are_named() -> None:
    env = serve("mcp-server-everything", env={"MY_KEY": "sk-1"})
    assert json.loads(did(env, "get-env"))["MY_KEY"] == "sk-1"
    env.close()


def test_filesystem(tmp_path: Path) -> None:
    env = serve("mcp-server-filesystem", str(tmp_path))
    did(env, "write_file", path=str(tmp_path / "a.txt"), content="hello\n")
    assert (tmp_path / "a.txt").read_text() == "hello\n"
    assert did(env, "read_text_file", path=str(tmp_path / "a.txt")) == "hello\n"
    edits = [{"oldText": "hello", "newText": "bye"}]
    did(env, "edit_file", path=str(tmp_path / "a.txt"), edits=edits)
    assert (tmp_path / "a.txt").read_text() == "bye\n"
    assert "Access denied" in env.step("read_text_file(path=/etc/passwd)")[4]["invalid_action"]
    env.close()


def test_memory(tmp_path: Path) -> None:
    env = serve("mcp-server-memory", env={"MEMORY_FILE_PATH": str(tmp_path / "memory.json")})
    ada = {"name": "ada", "entityType": "person", "observations": ["counts"]}
    did(env, "create_entities", entities=[ada])
    assert json.loads(did(env, "open_nodes", names=["ada"]))["entities"] == [ada]
    assert json.loads((tmp_path / "memory.json").read_text())["name"] == "ada"
    refused = env.step('{"name": "create_entities", "arguments": {"entities": ["ada"]}}')[4]["invalid_action"]
    assert refused.startswith("create_entities: the argument \"entities.0\": 'ada' is not of type 'object'")
    env.close()


def test_sequential_thinking() -> None:
    env = serve("mcp-server-sequential-thinking")
    thought = {"thought": "a", "nextThoughtNeeded": False, "thoughtNumber": 1, "totalThoughts": 1}
    assert json.loads(did(env, "sequentialthinking", **thought))["thoughtHistoryLength"] == 1
    env.close()


def test_time() -> None:
    env = serve("mcp-server-time")
    converted = did(env, "convert_time", source_timezone="UTC", time="12:00", target_timezone="Asia/Tokyo")
    assert json.loads(converted)["time_difference"] == "+9.0h"
    assert "nowhere" in env.step("get_current_time(timezone=nowhere)")[4]["invalid_action"]
    env.close()


def test_git(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "a.txt").write_text("hello")
    env = serve("mcp-server-git")
    assert "a.txt" in did(env, "git_status", repo_path=str(tmp_path))
    env.close()


def test_sqlite(tmp_path: Path) -> None:
    env = serve("mcp-server-sqlite", "--db-path", str(tmp_path / "a.db"))
    did(env, "create_table", query="create table t (a int)")
    did(env, "write_query", query="insert into t values (42)")
    assert did(env, "read_query", query="select a from t") == "[{'a': 42}]"
    env.close()


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html><body><article><h1>Tea</h1><p>It is hot today.</p></article></body></html>")

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


@pytest.fixture
def page() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_port}/tea"
        site.shutdown()


def test_fetch(page: str) -> None:
    env = serve("mcp-server-fetch", "--allow-private-ips", "--ignore-robots-txt")
    assert "It is hot today." in did(env, "fetch", url=page)
    env.close()
