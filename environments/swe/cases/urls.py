"""Cases and complaints of ``library.urls``."""

COMPLAINTS = {
    "parts": "a link is not taken apart as it should be",
    "parameters": "what a form has sent is misread",
    "normal": "links with dots in them lead to the wrong place",
    "joined": "links on a page lead to the wrong place",
    "built": "links that are made are wrong",
}

CASES = r"""
parts("http://Example.com/a/b?x=1#top")
parts("https://example.com")
parts("HTTP://host:8080/x")
parts("ftp://files.org/pub")
parts("https://a.b/?q=1")
parts("no scheme here")
parts("http:///path")
parts("https://h:444")
parameters("a=1&b=2&a=3")
parameters("q=two+words&&x")
parameters("")
parameters("k=v=w")
normal("/a/./b/../c")
normal("/../../x")
normal("/a/b/")
normal("/")
normal("")
normal("a//b")
normal("/a/..")
joined("/docs/index.html", "guide.html")
joined("/docs/index.html", "/top")
joined("/docs/a/", "../b")
joined("/x", "y")
joined("/a/b/c.html", "./d/")
built("h.org")
built("h.org", "/p", False)
built("h.org", "/p", True, 443)
built("h.org", "/", True, 8443)
built("h.org", "/", False, 443)
built("h.org", "/z", False, 80)
"""
