"""The server of these tests, and raw connections to it."""

import contextlib
import os
import select
import socket
import subprocess
import time
from pathlib import Path

PROGRAM = Path(os.environ["DISTILBERT_BIN"], "tests/http_echo_server")
PATIENCE = 60  # seconds that a busy machine may take for what has no deadline of its own


class Server:
    """http_echo_server with options by name; `with` ends it, and sees that it ended well."""

    def __init__(self, wrapper=(), **options):
        self.process = subprocess.Popen(
            [*wrapper, PROGRAM, *(f"{name}={value}" for name, value in options.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        address = self.process.stdout.readline()
        assert address.startswith("http://127.0.0.1:"), address
        self.port = int(address.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            assert self.process.wait(PATIENCE) == 0
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def ask(self, command):
        self.tell(command)
        return self.process.stdout.readline().strip()

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def talk(self, *pieces):
        """All that the server says to the pieces until it closes."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
            return receive_all(connection)

    def get(self, target):
        """Status and body."""
        answer, = answers(self.talk(request("GET", target, "Connection: close")))
        return answer.status, answer.body

    def processor_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def request(method, target, *fields, body=b"", version="HTTP/1.1"):
    lines = [f"{method} {target} {version}", "Host: a", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def receive_all(connection):
    """What comes until the end of the stream; a reset ends it, too."""
    data = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            data += piece
    return bytes(data)


def receive_answers(connection, count):
    """Waits for so many answers on a connection that stays open."""
    data = bytearray()
    while len(answers(data)) < count:
        piece = connection.recv(65536)
        assert piece, bytes(data)
        data += piece
    return answers(data)


def is_open(connection):
    readable, _, _ = select.select([connection], [], [], 0)
    return not readable


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class Answer:
    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        version, status, self.reason = lines[0].split(" ", 2)
        assert version == "HTTP/1.1"
        self.status = int(status)
        self.fields = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            assert name.lower() not in self.fields
            self.fields[name.lower()] = value
        self.body = body


def answers(data, head_only=False):
    """The answers in what a server has said; one that is not whole yet is left out."""
    found = []
    while b"\r\n\r\n" in data:
        head, data = data.split(b"\r\n\r\n", 1)
        answer = Answer(bytes(head), b"")
        size = 0 if head_only else int(answer.fields.get("content-length", 0))
        if len(data) < size:
            break
        answer.body, data = bytes(data[:size]), data[size:]
        if answer.status >= 200:
            assert "date" in answer.fields
        found.append(answer)
    return found


def statuses(data, head_only=False):
    return [answer.status for answer in answers(data, head_only)]
