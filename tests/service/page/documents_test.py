"""The documents that the server carries: header fields, conditional requests, codings, and how browsers show them."""

import gzip
import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from browser import browser
from server_process import ServerProcess

SOURCE = Path(os.environ["DISTILBERT_SOURCE_DIR"])
PAGE = SOURCE / "examples/service/page"
ASSETS = {"style.css": "text/css", "app.js": "text/javascript", "answers.js": "text/javascript",
          "chart.js": "text/javascript", "operations.js": "text/javascript", "icon.svg": "image/svg+xml"}


@pytest.fixture(scope="module")
def server():
    with ServerProcess() as process:
        yield process


def test_page(server):
    reply = server.get("/")
    assert reply.status == 200
    assert reply.body == (PAGE / "index.html").read_bytes()
    assert reply.fields["content-type"] == "text/html; charset=utf-8"
    policy = reply.fields["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert sum(file.stat().st_size for file in [PAGE / "index.html", *map(PAGE.joinpath, ASSETS)]) < 40_000


def test_only_relative_links():
    """So that all works behind a proxy that adds a prefix."""
    for file in PAGE.glob("*.html"):
        for link in re.findall(r'(?:href|src)="([^"]*)"', file.read_text()):
            assert not link.startswith(("/", "http")), (file, link)


@pytest.mark.parametrize("name, media_type", ASSETS.items())
def test_assets(server, name, media_type):
    reply = server.get("/assets/" + name)
    assert (reply.status, reply.body) == (200, (PAGE / name).read_bytes())
    assert reply.fields["content-type"].split(";")[0] == media_type
    assert media_type.startswith("image") or reply.fields["content-type"].endswith("; charset=utf-8")
    assert reply.fields["x-content-type-options"] == "nosniff"
    assert reply.fields["cache-control"] == "no-cache"
    assert reply.fields["vary"] == "Accept-Encoding"
    assert "content-encoding" not in reply.fields


@pytest.mark.parametrize("path", ["/", "/assets/app.js", "/openapi.json", "/docs", "/redoc"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_conditional(server, path, coding):
    fields = {"Accept-Encoding": coding}
    tag = server.get(path, fields=fields).fields["etag"]
    assert re.fullmatch('"[0-9a-z-]+"', tag)
    for condition, status in [(tag, 304), ("W/" + tag, 304), ('"x", ' + tag, 304), ("*", 304), ('"x"', 200),
                              (tag[:-2] + '"', 200), (tag.strip('"'), 200), ("", 200), (",,", 200)]:
        reply = server.get(path, fields={**fields, "If-None-Match": condition})
        assert reply.status == status, condition
        assert reply.fields["etag"] == tag
        assert (reply.body == b"") == (status == 304)


@pytest.mark.parametrize("accepted, compressed", [
    ("gzip", True), ("GZIP", True), ("gzip;q=0.5", True), ("deflate, gzip ; q=1.0, br", True), ("*", True),
    ("gzip;q=0", False), ("gzip; q=0.000, *", False), ("*;q=0", False), ("", False), ("br", False), ("xgzip", False),
    ("gzipx, identity", False), (",;,=", False),
])
def test_gzip(server, accepted, compressed):
    reply = server.get("/assets/app.js", fields={"Accept-Encoding": accepted})
    plain = (PAGE / "app.js").read_bytes()
    assert (reply.fields.get("content-encoding") == "gzip") == compressed
    assert (gzip.decompress(reply.body) if compressed else reply.body) == plain
    assert reply.fields["etag"].endswith('-gzip"') == compressed  # another form, another tag


@pytest.mark.parametrize("path", ["/assets/none.js", "/assets/", "/assets/index.html", "/assets/../index.html",
                                  "/assets/%2e%2e%2findex.html", "/assets/app.js/", "/assets/openapi/page.json"])
def test_no_such_asset(server, path):
    assert server.get(path).status in (400, 404, 307)


def test_documents_of_others(server):
    """Swagger UI and ReDoc, if the program was built with them, come compressed, with their licences."""
    carried = "swagger-ui.css" in server.get("/docs").body.decode()
    names = ["swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js", "swagger-ui.LICENSE.txt",
             "swagger-ui.NOTICE.txt", "swagger-ui-bundle.js.LICENSE.txt", "redoc.LICENSE.txt",
             "redoc.standalone.js.LICENSE.txt"]
    for name in names:
        reply = server.get("/assets/" + name, fields={"Accept-Encoding": "gzip"})
        assert reply.status == (200 if carried else 404), name
        if carried:
            assert reply.fields["content-encoding"] == "gzip"
            assert len(gzip.decompress(reply.body)) > 40
            assert server.get("/assets/" + name, fields={"Accept-Encoding": "identity"}).status == 406


def test_documents_in_browser(server):
    operations = [path for path in server.get("/openapi.json").json["paths"]]
    with browser() as tab:
        for path in ["/docs", "/redoc"]:
            tab.open(server.url + path)
            tab.wait("document.body.innerText.includes('/openapi.json')")
            text = tab.evaluate("document.body.textContent")
            assert [one for one in operations if one not in text] == []
            # ReDoc's own mark lies on another host: the policy keeps it from being asked, and the browser says so. Its
            # sampler takes "allOf" for objects alone, and says so.
            known = ("redoc/logo-mini.svg", "OpenAPI Sampler")
            assert [one for one in tab.complaints if not any(mark in one for mark in known)] == []
            tab.complaints.clear()


def test_own_list_in_browser(server):
    """What /docs is when nothing else was compiled in."""
    with browser() as tab:
        tab.open(server.url + "/docs")
        tab.mock({"/docs": (200, {"Content-Type": "text/html"}, (PAGE / "operations.html").read_text())})
        tab.open(server.url + "/docs", width=360)
        tab.wait("document.querySelectorAll('.operation').length > 5")
        assert "GET\n/openapi.json" in tab.text("#operations")
        assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert tab.complaints == []


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
