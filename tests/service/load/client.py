"""A client of HTTP/1.1 that keeps count: each request gets one answer, and the answer is its own.

Loopback only. asyncio's streams are enough for some thousand requests a second on a core.
"""

import asyncio
import dataclasses

HOST = "127.0.0.1"


class Lost(Exception):
    """A connection that ended with a request unanswered."""


@dataclasses.dataclass
class Answer:
    status: int
    fields: dict
    body: bytes


class Connection:
    """One connection, opened when it is needed and opened anew after the server closed it in good order."""

    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None

    async def request(self, method, path, body=b"", fields=()):
        """The answer. A connection that the server had closed before the request was sent is replaced; one that ends
        within the answer, or without any although the request may have been read, raises Lost."""
        if self.writer is None or self.reader.at_eof():
            await self.open()
        head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields)
        if body or method == "POST":
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(head.encode() + b"\r\n" + body)
        try:
            return await self.read_answer()
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.close()
            raise Lost(f"{method} {path}: {error!r}") from error

    async def read_answer(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = head[:-4].split("\r\n")
        fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await self.reader.readexactly(int(fields.get("content-length", 0)))
        if fields.get("connection", "").lower() == "close":
            self.close()
        return Answer(int(status_line.split()[1]), fields, body)

    async def open(self):
        self.close()
        self.reader, self.writer = await asyncio.open_connection(HOST, self.port)

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


async def run_all(port, connections, jobs, handle):
    """Takes `jobs` (an iterator) through so many connections; handle(connection, job) does one."""

    async def work():
        connection = Connection(port)
        try:
            for job in jobs:
                await handle(connection, job)
        finally:
            connection.close()

    await asyncio.gather(*(work() for _ in range(connections)))
