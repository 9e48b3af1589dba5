"""Every request of wire_cases.py: whole, byte by byte, cut at every byte with and without an end of the stream."""

import contextlib
import socket
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_process import allow_open_files
from wire import Server, answers, receive_all, receive_answers, statuses
from wire_cases import CASES, GET

AT_ONCE = 800  # connections
LIMITS = {"body": 1_000_000}

allow_open_files()


@pytest.fixture(scope="module")
def server():
    with Server(threads=2, header_ms=60_000, body_ms=120_000, linger_ms=60_000, **LIMITS) as server:
        yield server


def test_there_are_cases_enough():
    assert len(CASES) >= 110
    assert len({name for name, *_ in CASES}) == len(CASES)


@pytest.mark.parametrize("name, data, expected, closed", CASES, ids=[name for name, *_ in CASES])
def test_whole(server, name, data, expected, closed):
    with server.connect() as connection:
        connection.sendall(data)
        if closed:
            found = answers(receive_all(connection))
            assert found[-1].fields["connection"] == "close"
        else:
            found = answers(receive_all_of_open(connection, len(expected)), head_only=data.startswith(b"HEAD"))
            assert "connection" not in found[-1].fields or b"HTTP/1.0" in data
        assert [answer.status for answer in found] == expected
    for answer in found:
        if answer.status == 405:
            assert answer.fields["allow"]
        if answer.status >= 400 and answer.body not in (b"", b"empty"):
            assert answer.fields["content-type"] == "application/json" and answer.body.startswith(b'{"detail":"')


def receive_all_of_open(connection, count):
    """Sees that the connection is still good for another request, then ends it; without that request's answer."""
    data = bytearray()
    while data.count(b"HTTP/1.1 ") < count:
        piece = connection.recv(65536)
        assert piece
        data += piece
    connection.sendall(GET)
    connection.shutdown(socket.SHUT_WR)
    data += receive_all(connection)
    mine, last = bytes(data).rsplit(b"HTTP/1.1 ", 1)
    assert last.startswith(b"200 OK\r\n")
    return mine


def test_byte_by_byte(server):
    """One byte of each case in turn, so that the server sees most of them alone."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in CASES]
        pieces = []
        for _, data, *_ in CASES:
            size = 1 if len(data) < 1000 else len(data) // 500
            pieces.append([data[i:i + size] for i in range(0, len(data), size)])
        for turn in range(max(map(len, pieces))):
            for connection, mine in zip(connections, pieces):
                if turn < len(mine):
                    connection.sendall(mine[turn])
        for connection, (name, data, expected, _) in zip(connections, CASES):
            connection.shutdown(socket.SHUT_WR)
            assert statuses(receive_all(connection), head_only=data.startswith(b"HEAD")) == expected, name


def cuts():
    for name, data, expected, _ in CASES:
        step = 1 if len(data) < 1000 else len(data) // 20
        for cut in range(0, len(data), step):
            yield name, data, cut, expected


def batches(items):
    items = list(items)
    for begin in range(0, len(items), AT_ONCE):
        yield items[begin:begin + AT_ONCE]


@pytest.mark.parametrize("end, status, options", [
    (False, 408, {"header_ms": 700, "body_ms": 1400, "idle_ms": 1200}),
    (True, 400, {"header_ms": 60_000, "body_ms": 120_000})], ids=["waiting", "ended"])
def test_cut_at_every_byte(end, status, options):
    """The answers to what came whole; then, if anything came of the next, that it is late, or that it is not whole. Or
    all the answers of the case, if what came suffices to know them."""
    with Server(threads=2, linger_ms=60_000, **options, **LIMITS) as server:
        for batch in batches(cuts()):
            with contextlib.ExitStack() as stack:
                connections = []
                for _, data, cut, _ in batch:
                    connections.append(stack.enter_context(server.connect()))
                    connections[-1].sendall(data[:cut])
                    if end:
                        connections[-1].shutdown(socket.SHUT_WR)
                for connection, (name, data, cut, expected) in zip(connections, batch):
                    found = statuses(receive_all(connection), head_only=data.startswith(b"HEAD"))
                    whole = found[:-1] if found[-1:] == [status] else found
                    assert whole == expected[:len(whole)], (name, cut, found)
                    assert whole != found or found == expected or ends_with_request(data[:cut]), (name, cut, found)


def ends_with_request(data):
    """Whether nothing of a next request has come."""
    return not data or data.endswith((b"\r\n\r\n", b"ab"))


@pytest.mark.parametrize("body", [b"hell", b"", b"2\r\na"])
def test_half_a_body_reaches_no_handler(server, body):
    before = server.get("/counts")
    framing = b"Transfer-Encoding: chunked" if b"\r" in body else b"Content-Length: 5"
    with server.connect() as connection:
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(receive_all(connection)) == [400]
    assert server.get("/counts") == before


def test_bodies_arrive_whole(server):
    body = bytes(range(256)) * 3900
    sent = [b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body), body]
    with server.connect() as connection:
        for piece in sent:
            connection.sendall(piece)
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for begin in range(0, len(body), 7777):
            piece = body[begin:begin + 7777]
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
        first, second = receive_answers(connection, 2)
    assert first.body == body and second.body == body


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", "--durations=5", *sys.argv[1:]]))
