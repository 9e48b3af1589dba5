"""Requests that are wrong, odd or hostile, and the statuses that each gets; (name, bytes, statuses, closed).

`closed`: the server closes by itself after the answers, since it cannot or will not read on."""

from wire import request


def case(name, data, *statuses, closed=None):
    if closed is None:
        closed = statuses[-1] >= 400
    return name, data if isinstance(data, bytes) else data.encode("latin-1"), list(statuses), closed


def get(*fields, target="/health", version="HTTP/1.1"):
    return request("GET", target, *fields, version=version)


def post(*fields, body=b"", target="/echo"):
    return request("POST", target, *fields, body=body)


def head(*lines):
    return "".join(line + "\r\n" for line in (*lines, "")).encode("latin-1")


def chunked(body):
    return post("Transfer-Encoding: chunked", body=body if isinstance(body, bytes) else body.encode("latin-1"))


def coding(value):
    return post("Transfer-Encoding: " + value, body=b"2\r\nab\r\n0\r\n\r\n")


GET = get()
LINE = "GET /health HTTP/1.1"

CASES = [
    case("plain", GET, 200),
    case("no Host", head(LINE), 400),
    case("two Hosts", get("Host: a"), 400),
    *(case(f"Host {host!r}", head(LINE, "Host: " + host), 400) for host in ("", "a b", "a/b", "u@a")),
    case("1.0 without Host", head("GET /health HTTP/1.0"), 200, closed=True),
    case("1.0 keep-alive", head("GET /health HTTP/1.0", "Connection: keep-alive"), 200),

    case("0.9", "GET /\r\n", 400),
    case("1.2", get(version="HTTP/1.2"), 200),
    *(case(version, get(version=version), status) for version, status in
      (("HTTP/2.0", 505), ("HTTP/9.9", 505), ("HTTP/1.10", 400), ("http/1.1", 400))),
    case("preface of h2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    case("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)), 400),

    case("leading CRLF", b"\r\n" + GET, 200),
    case("two leading CRLF", b"\r\n\r\n" + GET, 400),
    case("two spaces", "GET  /health HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    case("tab", "GET\t/health HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    case("bare LF", "GET /health HTTP/1.1\nHost: a\n\n", 400),
    case("bare LF after a field", "GET /health HTTP/1.1\r\nHost: a\n\r\n", 400),
    case("bare LF at the end", "GET /health HTTP/1.1\r\nHost: a\r\n\n", 400),
    case("bare CR", "GET /health HTTP/1.1\rHost: a\r\r", 400),
    case("NUL in a value", get("X: a\0b"), 400),
    case("bare CR in a value", get("X: a\rb"), 400),
    case("NUL in the path", get(target="/\0"), 400),
    case("high byte in the path", get(target="/\xe9"), 400),
    case("high byte in a value", get("X: \xe9"), 200),

    *(case(name, get(line), 400) for name, line in (
        ("space before colon", "X : a"), ("no colon", "X"), ("empty name", ": a"), ("bad name", "X(: a"),
        ("high byte in a name", "X\xe9: a"), ("obs-fold", " a"))),
    case("space before the first field", head(LINE, " Host: a"), 400),

    case("get", request("get", "/health"), 405, closed=False),
    case("FOO", request("FOO", "/health"), 405, closed=False),
    case("G@T", request("G@T", "/health"), 400),
    case("method of 1 MB", b"G" * 1_000_000 + b" /health HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    case("CONNECT", request("CONNECT", "a:443"), 405),
    case("TRACE", request("TRACE", "/health"), 405),
    case("OPTIONS *", request("OPTIONS", "*"), 204),
    case("OPTIONS", request("OPTIONS", "/health"), 405, closed=False),
    case("GET *", get(target="*"), 400),
    case("absolute", get(target="http://other/health"), 200),
    case("absolute with user", get(target="http://u@a/health"), 400),
    case("fragment", get(target="/health#a"), 400),
    *(case(target, get(target=target), 404, closed=False) for target in
      ("/%00", "/%0d%0a", "/..", "/../health", "/items/..", "/items/%2e%2e", "/items/a%00")),
    case("half an escape", get(target="/%4"), 400),
    case("not an escape", get(target="/%zz"), 400),
    case("escapes", get(target="/he%61lth?%zz"), 200),
    case("slash too many", get(target="/health/?a"), 307),

    case("URI of 16 kB", get(target="/" + "a" * 16_000), 414),
    case("URI of 70 kB", get(target="/" + "a" * 70_000), 414),
    case("header of 16 kB", get("X: " + "a" * 16_384), 431),
    case("header of 70 kB", get("X: " + "a" * 70_000), 431),
    case("header of 2 MB", get("X: " + "a" * 2_000_000), 431),
    case("150 fields", get(*["X: a"] * 150), 431),
    case("3,000 fields", get(*["X: a"] * 3000), 431),

    *(case(f"CL {value!r}", post("Content-Length: " + value, body=b"ab"), 400) for value in
      ("-1", "+2", "0x2", "2_0", "", "abc", "2abc", "2.0", "18446744073709551616", "2, 2")),
    case("CL twice the same", post("Content-Length: 2", "Content-Length: 2", body=b"ab"), 400),
    case("CL twice", post("Content-Length: 2", "Content-Length: 1", body=b"ab"), 400),
    case("CL 002", post("Content-Length: 002", body=b"ab"), 200),
    case("CL 2^63", post("Content-Length: 9223372036854775808", body=b"ab"), 413),
    case("CL 100 GB", post("Content-Length: 107374182400", body=b"ab"), 413),

    case("CL and TE", post("Content-Length: 4", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    case("TE and CL", post("Transfer-Encoding: chunked", "Content-Length: 4", body=b"0\r\n\r\n"), 400),
    case("CL and TE, and a request behind", post("Content-Length: 6", "Transfer-Encoding: chunked",
                                                 body=b"0\r\n\r\nX" + GET), 400),
    case("TE and CL, and a request behind", post("Transfer-Encoding: chunked", "Content-Length: 6",
                                                 body=b"0\r\n\r\nX" + GET), 400),

    *(case(f"TE {value!r}", coding(value), 501) for value in ("xchunked", "identity", "gzip, chunked",
                                                              "chunked, gzip")),
    *(case(f"TE {value!r}", coding(value), 400) for value in
      (",chunked", "chunked, chunked", "\vchunked", "\fchunked", "\0chunked", "chunked;ext", "")),
    case("TE twice", post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    case("1.0 with TE", request("POST", "/echo", "Transfer-Encoding: chunked", version="HTTP/1.0", body=b"0\r\n\r\n"),
         400),

    case("chunked", chunked("2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"), 200),
    *(case(f"chunk size {size!r}", chunked(f"{size}\r\nab\r\n0\r\n\r\n"), 400) for size in
      ("ZZ", "0x2", "+2", "-2", " 2", "2 ", "", "1" * 17, "0" * 30)),
    case("chunk size 2^63", chunked("8000000000000000\r\nab\r\n0\r\n\r\n"), 413),
    case("chunk size over the limit", chunked("f4241\r\nab\r\n0\r\n\r\n"), 413),
    case("chunk extension", chunked("2;a=b\r\nab\r\n0\r\n\r\n"), 200),
    case("chunk extension of 100 kB", chunked("2;" + "a" * 100_000 + "\r\nab\r\n0\r\n\r\n"), 400),
    case("chunk extension, LF", chunked("2;a\nab\r\n0\r\n\r\n"), 400),
    case("chunk extension, CR", chunked("2;a\rb\r\nab\r\n0\r\n\r\n"), 400),
    case("chunk size, LF", chunked("2\nab\r\n0\r\n\r\n"), 400),
    case("chunk, LF", chunked("2\r\nab\n0\r\n\r\n"), 400),
    case("chunk too long", chunked("2\r\nabc\r\n0\r\n\r\n"), 400),
    case("chunk without CRLF", chunked("2\r\nab0\r\n\r\n"), 400),
    case("last chunk, LF", chunked("2\r\nab\r\n0\n\r\n"), 400),
    case("trailer, LF", chunked("2\r\nab\r\n0\r\n\n"), 400),
    case("trailer with CL", chunked("2\r\nab\r\n0\r\nContent-Length: 9\r\n\r\n"), 200),
    case("trailer without colon", chunked("2\r\nab\r\n0\r\nX\r\n\r\n"), 400),
    case("trailer of 2 MB", chunked("2\r\nab\r\n0\r\nX: " + "a" * 2_000_000 + "\r\n\r\n"), 431),

    case("three at once", GET * 3, 200, 200, 200),
    case("good and bad", GET + head("GET /health"), 200, 400),
    case("after Connection: close", get("Connection: close") + GET, 200, closed=True),
    case("byte too many", post("Content-Length: 2", body=b"ab}"), 200, 400),
    case("different ones at once", GET + post("Content-Length: 2", body=b"ab") + chunked("1\r\na\r\n0\r\n\r\n") + GET,
         200, 200, 200, 200),

    case("Expect", post("Expect: 100-continue", "Content-Length: 2", body=b"ab"), 100, 200),
    case("Expect, chunked", post("Expect: 100-continue", "Transfer-Encoding: chunked", body=b"1\r\na\r\n0\r\n\r\n"),
         100, 200),
    case("other Expect", post("Expect: other", "Content-Length: 2", body=b"ab"), 417),
    case("Expect over the limit", post("Expect: 100-continue", "Content-Length: 1000001"), 413),

    case("POST with neither CL nor TE", post(), 400, closed=False),
    case("CL 0", post("Content-Length: 0"), 400, closed=False),
    case("GET with body", get("Content-Length: 2") + b"ab" + GET, 200, 200),
    case("HEAD", request("HEAD", "/health"), 405, closed=False),

    *(case(f"Upgrade {name}", get("Connection: Upgrade", "Upgrade: " + name), 200) for name in ("h2c", "websocket")),
    case("Range", get("Range: bytes=0-1"), 200),
    case("Content-Encoding", post("Content-Encoding: gzip", "Content-Length: 2", body=b"ab"), 415),
    *(case(f"Content-Type {name}", post("Content-Type: " + name, "Content-Length: 2", body=b"ab"), status)
      for name, status in (("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("application/json", 200),
                           ("application/json; charset=utf-8", 200), ("application/vnd.a+json", 200),
                           ("application/octet-stream", 200))),
]
