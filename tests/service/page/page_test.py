"""The page as people meet it, in headless Chromium: by keyboard, on a phone, in the dark, and when things go wrong."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from browser import browser
from server_process import ServerProcess

CONTROL = 2
JSON = {"Content-Type": "application/json"}
IDLE = "document.getElementById('form').getAttribute('aria-busy') === 'false'"
READY = IDLE + " && !document.getElementById('ask').disabled"
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
INFO = {"model_id": "m", "model_dtype": "int8", "max_input_length": 512}


@pytest.fixture(scope="module")
def server():
    with ServerProcess() as process:
        yield process


@pytest.fixture(scope="module")
def chromium():
    with browser() as tab:
        yield tab


@pytest.fixture
def tab(chromium, server):
    """A tab that, when the test ends, must have complained of nothing and asked no other host."""
    chromium.complaints.clear()
    chromium.urls.clear()
    yield chromium
    chromium.unmock()
    assert chromium.complaints == []
    assert [url for url in chromium.urls if not url.startswith((server.url, "data:", "blob:"))] == []


def focus(tab):
    return tab.evaluate("document.activeElement.id")


def ask(tab, text):
    tab.evaluate("document.getElementById('text').select()")
    tab.type(text)
    tab.press("Enter", CONTROL)
    tab.wait(IDLE)


def bars(tab):
    return tab.evaluate("""[...document.querySelectorAll('.bar')].map(bar => [
        bar.querySelector('.name').textContent, parseFloat(bar.querySelector('.value').textContent),
        bar.querySelector('.fill').getBoundingClientRect().width / bar.querySelector('.track').clientWidth])""")


def luminance(tab, selector, property):
    colour = tab.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{property}")
    rgb = [float(x) / 255 for x in colour[colour.index("(") + 1:-1].split(",")[:3]]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(tab, selector, ground):
    """As WCAG 2 defines it."""
    a, b = sorted([luminance(tab, selector, "color"), luminance(tab, ground, "backgroundColor")])
    return (b + 0.05) / (a + 0.05)


def test_by_keyboard(tab, server):
    tab.open(server.url + "/")
    tab.wait(READY)
    assert tab.text("#answer") is None
    visited = []
    while focus(tab) != "text":
        tab.press("Tab")
        visited.append(focus(tab))
        assert len(visited) < 4
    tab.type("a joy from first to last")
    tab.press("Tab")
    assert focus(tab) == "ask"
    tab.press("Enter")
    tab.wait("document.getElementById('answer').hidden === false && " + IDLE)

    expected = server.post("/predict", {"inputs": "a joy from first to last"}, fields=JSON).json
    assert tab.text("#label").startswith(expected[0]["label"])
    shown = bars(tab)
    tab.wait("document.getAnimations().length === 0")
    assert [name for name, _, _ in shown] == [one["label"] for one in expected]
    for (_, percent, width), one in zip(bars(tab), expected):
        assert abs(percent / 100 - one["score"]) < 0.0006
        assert abs(width - one["score"]) < 0.01

    [tokens] = server.post("/tokenize", {"inputs": "a joy from first to last"}, fields=JSON).json
    shown = tab.evaluate("""[...document.querySelectorAll('.token')].map(
        token => [token.firstChild.data, token.lastChild.textContent])""")
    assert shown == [[token["text"], str(token["id"])] for token in tokens]
    assert tab.text("#token-count") == "8"
    assert expected[0]["label"] in tab.evaluate("document.getElementById('status').textContent")
    assert tab.evaluate("document.getElementById('status').getAttribute('aria-live')") == "polite"
    times = tab.evaluate("[...document.querySelectorAll('dt')].map(e => e.textContent)")
    assert times == ["There and back", "In the server", "Tokens", "Queue", "Model"]


def test_chart(tab, server):
    tab.open(server.url + "/")
    tab.wait(READY)
    ask(tab, "good")
    assert tab.evaluate("document.querySelectorAll('#chart rect').length") == 1
    tab.evaluate("document.getElementById('repeat').focus()")
    tab.press(" ")
    tab.wait("document.querySelectorAll('#chart rect').length === 21 && " + IDLE)
    heights = tab.evaluate("[...document.querySelectorAll('#chart rect')].map(r => r.height.baseVal.value)")
    assert max(heights) == 116 and min(heights) >= 2
    assert "The last 21 requests" in tab.text("#chart-text")
    for _ in range(2):
        tab.evaluate("document.getElementById('repeat').click()")
        tab.wait(IDLE)
    assert tab.evaluate("document.querySelectorAll('#chart rect').length") == 60  # the oldest are forgotten


def test_examples(tab, server):
    tab.open(server.url + "/")
    tab.wait(READY)
    labels = []
    for i in range(2):
        tab.evaluate(f"document.querySelectorAll('#examples button')[{i}].click()")
        tab.wait(IDLE)
        labels.append(tab.text("#label").split()[0])
    assert labels == ["POSITIVE", "NEGATIVE"]


@pytest.mark.parametrize("width", [320, 360, 768])
def test_narrow(tab, server, width):
    tab.open(server.url + "/", width=width, height=640)
    tab.wait(READY)
    assert tab.evaluate(FITS)
    ask(tab, "a" * 300 + " " + "word " * 200)
    assert tab.text("#label") is not None
    assert tab.evaluate(FITS)
    outside = tab.evaluate(f"""[...document.querySelectorAll('main *, header *, footer *')]
        .filter(e => e.checkVisibility() && !e.closest('.sr, .tokens'))
        .filter(e => e.getBoundingClientRect().right > {width} + 0.5).map(e => e.outerHTML)""")
    assert outside == []


@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark(tab, server, dark):
    tab.open(server.url + "/", dark=dark)
    tab.wait(READY)
    ask(tab, "good")
    assert (luminance(tab, "body", "backgroundColor") < 0.2) == dark
    for selector, ground in [("body", "body"), ("#model", "body"), ("#label", ".card"), ("#label small", ".card"),
                             ("#text", "#text"), ("#ask", "#ask"), ("#examples button", ".card"), ("footer a", "body"),
                             (".token:not(.special)", ".token:not(.special)"), ("dt", ".card"),
                             (".token:not(.special) small", ".token:not(.special)")]:
        assert contrast(tab, selector, ground) >= 4.5, selector


def test_no_text(tab, server):
    tab.open(server.url + "/")
    tab.wait(READY)
    ask(tab, "  ")
    assert tab.text("#error") == "Please write a text first."
    assert focus(tab) == "text"
    ask(tab, "good")
    assert tab.text("#error") is None


def test_text_is_text(tab, server):
    tab.open(server.url + "/")
    tab.wait(READY)
    ask(tab, "<img src=x onerror=document.title=1> & </script>")
    assert "<" in tab.text("#tokens")
    assert tab.evaluate("document.querySelectorAll('main img').length") == 0


@pytest.mark.parametrize("reply, words", [
    ((429, {"Retry-After": "3"}, '{"error":"Model is overloaded"}'), "is busy. Try again in 3 s."),
    ((503, {}, "{}"), "starting or about to end"),
    ((413, {}, "x"), "more text than the server takes"),
    ((422, {}, '{"detail":[{"msg":"Field required","loc":["body"]}]}'), "answered 422: Field required"),
    ((424, {}, '{"error":"inference failed"}'), "answered 424: inference failed"),
    ((400, {}, '{"error":{"message":"no such"}}'), "answered 400: no such"),
    ((500, {}, "not JSON"), "The server answered 500."),
    ((200, {}, "not JSON"), "not what this page expects"),
    (None, "cannot be reached"),
])
def test_errors(tab, server, reply, words):
    tab.open(server.url + "/")
    tab.wait(READY)
    ask(tab, "good")
    tab.mock({"/predict": reply})
    ask(tab, "bad")
    assert words in tab.text("#error")
    assert tab.evaluate("document.getElementById('error').getAttribute('role')") == "alert"
    tab.complaints.clear()  # the browser itself notes each reply that is an error
    tab.unmock()
    ask(tab, "good")
    assert tab.text("#error") is None


def test_key(tab, server):
    tab.mock({"/info": (401, {}, "")})
    tab.open(server.url + "/")
    tab.wait("!document.getElementById('key').hidden")
    assert "API key" in tab.text("#error")
    assert tab.text("#ask") == "Try again"
    tab.complaints.clear()
    tab.unmock()
    tab.evaluate("document.getElementById('key').focus()")
    tab.type("secret")
    tab.press("Enter")
    tab.wait(READY)
    assert tab.text("#error") is None
    ask(tab, "good")
    assert tab.headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize("kind", ["embedding", "reranker"])
def test_pairs(tab, server, kind):
    replies = {
        "/info": (200, JSON, json.dumps({**INFO, "model_type": {kind: {}}})),
        "/tokenize": (200, JSON, "[[]]"),
        "/similarity": (200, JSON, "[0.25, -0.5, 0.75]"),
        "/rerank": (200, JSON, json.dumps([{"index": i, "score": s} for i, s in [(2, 0.75), (0, 0.25), (1, 0)]])),
    }
    tab.mock(replies)
    tab.open(server.url + "/", width=360)
    tab.wait(READY)
    tab.evaluate("document.getElementById('text').focus()")
    tab.type("one")
    tab.press("Tab")
    assert focus(tab) == "texts"
    tab.type("first\n\n second \nthird")
    tab.press("Enter", CONTROL)
    tab.wait("document.getElementById('answer').hidden === false && " + IDLE)
    assert tab.evaluate(FITS)
    tab.wait("document.getAnimations().length === 0")
    names, values, widths = zip(*bars(tab))
    assert names == ("third", "first", "second")
    assert values == ((0.75, 0.25, -0.5) if kind == "embedding" else (75, 25, 0))
    assert [round(width, 1) for width in widths[:2]] in ([0.8, 0.2], [0.7, 0.2], [0.8, 0.3], [0.7, 0.3])
    assert json.loads(tab.bodies[-2]) == (
        {"inputs": {"source_sentence": "one", "sentences": ["first", "second", "third"]}} if kind == "embedding" else
        {"query": "one", "texts": ["first", "second", "third"]})


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
