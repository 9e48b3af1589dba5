"""Clients that are slow, silent, many or gone, and a server that comes to its end."""

import contextlib
import select
import socket
import struct
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from server_process import SANITIZED, allow_open_files  # noqa: E402
from wire import (PATIENCE, Server, answers, is_open, receive_all, receive_answers, request,  # noqa: E402
                  statuses, wait_until)

GET = request("GET", "/health")
HALF = b"GET /health HTTP/1.1\r\nHo"
IDLE = 1200  # connections; more than the usual limit of 1,024 descriptors

allow_open_files()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def drip(connection, data, seconds):
    """Sends a byte at a time, evenly, until the server has had enough; returns its answers and the seconds they took."""
    begin = time.monotonic()
    for i in range(len(data)):
        if not is_open(connection):
            break
        connection.sendall(data[i:i + 1])
        time.sleep(seconds / len(data))
    return statuses(receive_all(connection)), time.monotonic() - begin


SHORT = {"header_ms": 600, "body_ms": 1200, "idle_ms": 900, "write_ms": 800, "linger_ms": 300}


@pytest.fixture(scope="module")
def impatient():
    with Server(**SHORT) as server:
        yield server


@pytest.fixture(scope="module")
def patient():
    with Server(threads=2) as server:
        yield server


@pytest.mark.parametrize("data, expected, least", [
    (b"", [], 0.9),
    (HALF, [408], 0.6),
    (request("POST", "/echo", "Content-Length: 9", body=b"half"), [408], 0.6),
    (request("POST", "/echo", "Transfer-Encoding: chunked", body=b"4\r\nha"), [408], 0.6),
    (request("POST", "/echo", "Expect: 100-continue", "Content-Length: 9"), [100, 408], 0.6),
    (GET, [200], 0.9),
    (GET + HALF, [200, 408], 0.6)], ids=range(7))
def test_silence_ends_at_the_deadline(impatient, data, expected, least):
    begin = time.monotonic()
    assert statuses(impatient.talk(data)) == expected
    assert least <= time.monotonic() - begin


def test_dripping_does_not_move_the_deadline(impatient):
    with impatient.connect() as connection:
        found, seconds = drip(connection, b"GET /health HTTP/1.1\r\n" + b"X: abcdefgh\r\n" * 50, 60)
    assert found == [408] and 0.6 <= seconds < 30
    # A body that comes at a fair rate, but is not whole in time.
    with impatient.connect() as connection:
        connection.sendall(request("POST", "/echo", "Content-Length: 1000000"))
        begin = time.monotonic()
        while is_open(connection):
            connection.sendall(b"x" * 1000)
            time.sleep(0.01)
        assert statuses(receive_all(connection)) == [408]
        assert 1.2 <= time.monotonic() - begin < 30


def test_body_below_the_least_rate_is_cut_before_its_deadline():
    with Server(body_ms=8_000) as server, server.connect() as connection:
        connection.sendall(request("POST", "/echo", "Content-Length: 1000"))
        found, seconds = drip(connection, b"x" * 300, 60)
    assert found == [408] and 4 <= seconds < 7.8


def test_reader_that_does_not_read_is_cut(impatient):
    with impatient.connect() as connection:
        connection.sendall(request("GET", "/big?50000000"))
        time.sleep(0.5)  # some of it fills the buffers
        poll = select.poll()
        poll.register(connection, select.POLLERR | select.POLLHUP)
        assert poll.poll(PATIENCE * 1000)
    assert impatient.get("/health") == (200, b"healthy")


def test_half_closed_is_answered(patient):
    with patient.connect() as connection:
        connection.sendall(request("POST", "/slow?300", "Content-Length: 2", body=b"ab") + GET)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(receive_all(connection)) == [200, 200]


def test_reset_while_working_is_noticed():
    with Server(threads=2) as server:
        connections = [server.connect() for _ in range(20)]
        for connection in connections:
            connection.sendall(request("POST", "/slow?1500", "Content-Length: 2", body=b"ab"))
        time.sleep(0.5)
        for connection in connections[:15]:
            reset(connection)
        for connection in connections[15:]:
            assert receive_answers(connection, 1)[0].status == 200
            connection.close()
        wait_until(lambda: server.get("/counts")[1] == b"0 15")


def test_pipelined_requests_are_answered_in_order(patient):
    waits = [300, 0, 100, 0, 200]
    data = b"".join(request("POST", f"/slow?{wait}", "Content-Length: 1", body=b"%d" % i) for i, wait in enumerate(waits))
    with patient.connect() as connection:
        connection.sendall(data)
        found = receive_answers(connection, 5)
    assert [answer.body for answer in found] == [b"0", b"1", b"2", b"3", b"4"]
    many = 20_000
    with patient.connect() as connection:
        connection.sendall(GET * (many // 10))
        assert len(receive_answers(connection, many // 10)) == many // 10


def test_handlers_that_misbehave(patient):
    for target, status in (("/throw", 500), ("/memory", 503), ("/never", 500), ("/twice", 200)):
        found = answers(patient.talk(request("GET", target) + request("GET", "/health", "Connection: close")))
        assert [answer.status for answer in found] == [status, 200]
        assert found[1].body == b"healthy"
    found = answers(patient.talk(request("GET", "/split", "Connection: close")))
    assert found[0].fields["x-echo"] == "a  Set-Cookie: b"


def test_requests_reach_their_routes(patient):
    assert patient.get("/items/a%20b?c=%20d") == (200, b"a b?c=%20d")
    assert patient.get("/project/items/x") == (200, b"x?")
    answer, = answers(patient.talk(request("GET", "/project/health/?a=b", "Connection: close")))
    assert (answer.status, answer.fields["location"]) == (307, "/project/health?a=b")
    found = patient.talk(request("GET", "/health", "Connection: keep-alive", version="HTTP/1.0") +
                         request("GET", "/health", version="HTTP/1.0"))
    first, second = answers(found)
    assert (first.fields["connection"], second.fields["connection"]) == ("keep-alive", "close")


def test_connections_over_the_cap_are_told():
    with Server(connections=50) as server:
        with contextlib.ExitStack() as stack:
            inside = [stack.enter_context(server.connect()) for _ in range(50)]
            for connection in inside:
                connection.sendall(GET)
                assert receive_answers(connection, 1)[0].status == 200
            for _ in range(3):
                answer, = answers(server.talk(GET))
                assert answer.status == 503 and answer.fields["retry-after"]
            # Of a crowd, those who are not told yet wait in the queue of the system.
            crowd = [stack.enter_context(server.connect()) for _ in range(60)]
            inside[0].sendall(GET)
            assert receive_answers(inside[0], 1)[0].status == 200
            told = [statuses(receive_all(connection)) for connection in crowd]
            assert told == [[503]] * len(crowd)
        wait_until(lambda: server.get("/health")[0] == 200)


def test_idle_connections_are_small_and_closed_when_draining():
    with Server(threads=2) as server, contextlib.ExitStack() as stack:
        server.get("/health")
        before = int(server.ask("rss"))
        connections = [stack.enter_context(server.connect()) for _ in range(IDLE)]
        for connection in connections[::2]:
            connection.sendall(request("POST", "/echo", "Content-Length: 20000", body=b"x" * 20_000))
        for connection in connections[::2]:
            assert receive_answers(connection, 1)[0].status == 200
        assert int(server.ask("rss")) - before < IDLE * 10 or SANITIZED
        time.sleep(0.3)
        server.tell("drain")
        assert [receive_all(connection) for connection in connections] == [b""] * IDLE
        # New ones are served, and told to go.
        answer, = answers(server.talk(GET))
        assert (answer.status, answer.fields["connection"]) == (200, "close")


def test_finish_serves_what_has_come():
    with Server(threads=2) as server, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(20)]
        for connection in slow:
            connection.sendall(request("POST", "/slow?700", "Content-Length: 2", body=b"ab") + GET)
        partial = stack.enter_context(server.connect())
        partial.sendall(HALF)
        time.sleep(0.3)
        server.tell("finish 60000")
        time.sleep(0.2)
        partial.sendall(GET[len(HALF):])
        for connection in (*slow, partial):
            answer, = answers(receive_all(connection))
            assert (answer.status, answer.fields["connection"]) == (200, "close")
        assert server.process.stdout.readline() == "all\n"
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_finish_ends_at_its_limit():
    with Server() as server, server.connect() as slow, server.connect() as partial:
        slow.sendall(request("POST", "/slow?3000", "Content-Length: 2", body=b"ab"))
        partial.sendall(HALF)
        time.sleep(0.3)
        assert server.ask("finish 200") == "not all"
        assert receive_all(slow) == b"" and receive_all(partial) == b""


def test_no_request_is_lost_when_connections_race_with_the_end():
    """Who has connected before the end of accepting gets an answer."""
    with Server(threads=2) as server, contextlib.ExitStack() as stack:
        connections = []
        for i in range(200):
            connection = stack.enter_context(server.connect())
            connection.sendall(GET)
            connections.append(connection)
            if i == 150:
                server.tell("drain")
        assert server.ask("finish 60000") == "all"
        assert all(statuses(receive_all(connection))[:1] == [200] for connection in connections)


def test_descriptors_run_out_and_come_back():
    with Server(wrapper=("sh", "-c", 'ulimit -n 64; exec "$@"', "sh")) as server:
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(server.connect()) for _ in range(100)]
            for connection in connections:
                connection.sendall(GET)
            served = [c for c in connections[:40] if receive_answers(c, 1)[0].status == 200]
            assert len(served) == 40
            time.sleep(0.5)
            assert sum(map(is_open, connections)) >= 40  # the rest wait
            before = server.processor_seconds()
            time.sleep(1)
            assert server.processor_seconds() - before < 0.05 * 1 + 0.02  # a tick of the clock more
            served[0].sendall(GET)
            assert receive_answers(served[0], 1)[0].status == 200
        assert server.get("/health") == (200, b"healthy")


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", "--durations=5", *sys.argv[1:]]))
