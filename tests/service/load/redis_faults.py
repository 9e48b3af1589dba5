"""Whatever happens to Redis, before the server starts, while it idles or under load: every answer is right."""

import asyncio
import contextlib
import itertools
import time

import texts as sample
from client import Connection, run_all
from redis_process import RedisProcess
from server_process import ServerProcess

LIMIT = 60  # seconds that a busy machine may take for anything
MILD = ("10 ms late", "a byte at a time")  # may still be in time
TROUBLES = ("distilbert_redis_up", "distilbert_redis_timeouts", "distilbert_redis_bad", "distilbert_redis_connects")
POISON = "for _, key in ipairs(redis.call('keys', '*')) do redis.call('set', key, 'no row') end"


class Network:
    """A port before a Redis, and what may happen on the way to it and back."""

    def __init__(self, redis):
        self.redis = redis
        self.fault = None  # of those of answer()
        self.writers = set()

    async def open(self, port=0):
        self.listener = await asyncio.start_server(self.serve, "127.0.0.1", port)
        self.port = self.listener.sockets[0].getsockname()[1]

    async def reopen(self):  # nobody is likely to have been given that port meanwhile
        await self.open(self.port)

    async def close(self):
        self.listener.close()
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self, reader, writer):
        self.writers.add(writer)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            behind, into = await asyncio.open_unix_connection(self.redis.path)
            self.writers.add(into)
            await asyncio.gather(self.pass_on(reader, into, False), self.pass_on(behind, writer, True))
            self.writers.discard(into)
        self.writers.discard(writer)
        writer.close()

    async def pass_on(self, reader, writer, answers):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self.answer(data, writer) if answers else self.send(writer, data)
        writer.close()

    async def answer(self, data, writer):
        match self.fault:
            case "silent":
                pass
            case "cut":
                self.send(writer, data[: len(data) // 2])
                await writer.drain()
                writer.transport.abort()
            case "a byte at a time":
                for byte in data:
                    self.send(writer, bytes([byte]))
                    await asyncio.sleep(0.001)
            case float(seconds):
                await asyncio.sleep(seconds)
                self.send(writer, data)
            case bytes(instead):
                self.send(writer, instead)
            case None:
                self.send(writer, data)

    @staticmethod
    def send(writer, data):
        if not writer.is_closing():
            writer.write(data)

    def set(self, fault):
        async def begin():
            self.fault = fault

        return begin


def kinds(network):
    """{name: (what begins it, what ends it)}"""
    redis = network.redis

    def act(function, *arguments):
        async def run():
            await asyncio.to_thread(function, *arguments)

        return run

    on_the_way = {"a black hole": "silent", "10 ms late": 0.01, "1 s late": 1.0, "30 s late": 30.0,
                  "a byte at a time": "a byte at a time", "half an answer": "cut",
                  "not Redis": b"HTTP/1.1 400 No\r\n\r\n", "a huge answer": b"$2147483648\r\n",
                  "loading": b"-LOADING Redis is loading the dataset in memory\r\n"}
    return {
        "killed": (act(redis.kill), act(redis.start)),
        "frozen": (act(redis.freeze), act(redis.thaw)),
        "clients killed": (act(redis.kill_clients), act(redis.kill_clients)),
        "poisoned": (act(redis.ask, "eval", POISON, "0"), network.set(None)),
        "refused": (network.close, network.reopen),
        **{name: (network.set(fault), network.set(None)) for name, fault in on_the_way.items()},
    }


@contextlib.asynccontextmanager
async def beside(process):
    """A process that is started and ended without holding up this loop."""
    await asyncio.to_thread(process.__enter__)
    try:
        yield process
    finally:
        await asyncio.to_thread(process.__exit__)


async def metrics(connection, wanted):
    """The values of those series."""
    lines = (await connection.request("GET", "/metrics")).body.decode().splitlines()
    return [float(line.split()[-1]) for line in lines if not line.startswith("#") and wanted(line)]


async def redis_hits(connection):
    return await metrics(connection, lambda line: 'tier="redis"' in line and 'result="hit"' in line)


async def trouble(connection):
    return await metrics(connection, lambda line: line.startswith(TROUBLES))


async def redis_faults(long):
    """Each kind before the start, idle and under load; afterwards Redis is used again."""
    pool = sample.take(20)
    scores = sample.scores_of(pool)
    seconds = 10 if long else 1
    answers, longest = 0, 0.0

    async def ask(connection, text):
        nonlocal answers, longest
        start = time.perf_counter()
        answer = await asyncio.wait_for(connection.request("POST", "/bulk-predict", sample.body_of([text])), LIMIT)
        longest = max(longest, time.perf_counter() - start)
        assert answer.status == 200, answer
        sample.check_prediction(answer.body, text, scores)
        answers += 1

    async def serves(connection):
        for text in pool:
            await ask(connection, text)
        for probe in ("/livez", "/readyz"):
            assert (await connection.request("GET", probe)).status == 200, probe

    async def uses_redis(connection):
        before, deadline = await redis_hits(connection), time.monotonic() + LIMIT
        while await redis_hits(connection) == before:
            assert time.monotonic() < deadline, "Redis is not used again"
            await ask(connection, pool[0])

    async def load(port, begin, end):
        until = time.monotonic() + 3 * seconds

        async def weather():
            await asyncio.sleep(seconds)
            await begin()
            await asyncio.sleep(seconds)
            await end()

        texts = itertools.takewhile(lambda _: time.monotonic() < until, itertools.cycle(pool))
        await asyncio.gather(run_all(port, 8, texts, ask), weather())

    options = ["--cache-megabytes", 0, "--drain-delay", 0]
    few = asyncio.Semaphore(4)

    async def check(name):
        async with few, beside(RedisProcess()) as redis:
            network = Network(redis)
            await network.open()
            begin, end = kinds(network)[name]
            await begin()
            url = f"redis://127.0.0.1:{network.port}"
            async with beside(ServerProcess(options=[*options, "--redis-url", url])) as server:
                connection = Connection(server.port)
                await serves(connection)
                await end()
                await uses_redis(connection)
                before = await trouble(connection)
                await begin()
                await serves(connection)
                assert name in MILD or await trouble(connection) != before, "nothing has happened"
                await end()
                await uses_redis(connection)
                await load(server.port, begin, end)
                await uses_redis(connection)
                connection.close()
            await network.close()

    async def check_named(name):
        try:
            await check(name)
        except Exception as error:
            raise AssertionError(f"Redis: {name}: {error!r}") from error

    names = list(kinds(Network(RedisProcess())))
    await asyncio.gather(*map(check_named, names))
    async with beside(ServerProcess(options=[*options, "--redis-url", "redis://no-such-host.invalid:6379"])) as server:
        await serves(Connection(server.port))
    assert longest < 20, "somebody has waited for Redis"
    return {"kinds": len(names) + 1, "answers": answers, "failed": 0, "most_ms": round(1e3 * longest)}
