"""Addresses of the web, taken apart and put together."""

from __future__ import annotations

PORTS = {"http": 80, "https": 443}


def parts(url: str) -> dict[str, str | int]:
    """Scheme, host, port, path and query of an address; the port is the scheme's where none is named."""
    scheme, found, rest = url.partition("://")
    if not found:
        raise ValueError("the address has no scheme")
    rest, _, _ = rest.partition("#")
    rest, _, query = rest.partition("?")
    host, slash, path = rest.partition("/")
    host, colon, port = host.partition(":")
    if not host:
        raise ValueError("the address has no host")
    number = int(port) if colon else PORTS.get(scheme.lower(), 0)
    return {"scheme": scheme.lower(), "host": host.lower(), "port": number, "path": slash + path or "/", "query": query}


def parameters(query: str) -> dict[str, list[str]]:
    """The values of each name in a query, in order; plus signs are blanks."""
    found: dict[str, list[str]] = {}
    for pair in query.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        found.setdefault(name, []).append(value.replace("+", " "))
    return found


def normal(path: str) -> str:
    """The path without "." and "..", which never lead above the root; a slash at the end stays."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if kept:
                kept.pop()
        elif part not in ("", "."):
            kept.append(part)
    end = "/" if kept and path.endswith("/") else ""
    return "/" + "/".join(kept) + end


def joined(base: str, link: str) -> str:
    """Where a link on the page at path ``base`` leads: from the root, or from the page's folder."""
    if link.startswith("/"):
        return normal(link)
    folder = base[: base.rfind("/") + 1]
    return normal(folder + link)


def built(host: str, path: str = "/", secure: bool = True, port: int | None = None) -> str:
    """The address of a path at a host; the port is named only where it is not the usual one."""
    scheme = "https" if secure else "http"
    named = f":{port}" if port is not None and port != PORTS[scheme] else ""
    return f"{scheme}://{host}{named}{path}"
