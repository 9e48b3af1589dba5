#!/usr/bin/env python3
"""What no client, load or slow reader may bring about: load_checks.py [--long] [CHECK...]

Starts distilbert-server (of $DISTILBERT_BIN) on the default model, and loads it on loopback. The short form takes about
a minute in all and is part of `make test`; the long one, `make soak`, asks for the full counts and takes an hour.
Every check ends by itself, and prints what it found as a line of JSON.

  burst        so many requests at once: none fails, each gets the scores of its own text
  overload     more callers than the server takes: each gets 200, 429 or 503, once, and whoever is refused is told when
               to come back
  connections  idle and slow connections by the thousand: others are served all the while
  redis        a Redis that closes idle connections: every request is answered
  faults       whatever else happens to Redis, idle, under load and at the start: every answer is right
  soak         mixed load for a while: memory, descriptors and threads stay, and the counters add up
"""

import argparse
import asyncio
import itertools
import json
import os
import pathlib
import random
import resource
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import texts as sample  # noqa: E402
from client import Connection, run_all  # noqa: E402
from redis_faults import redis_faults, redis_hits  # noqa: E402
from redis_process import RedisProcess  # noqa: E402
from server_process import SANITIZED, ServerProcess  # noqa: E402

NO_CACHE = ["--cache-megabytes", 0, "--drain-delay", 0]
# Built with a sanitizer and without optimisation, the model is a hundred times slower, and memory says nothing.
SHORT = 10 if SANITIZED else 1  # divides the short counts


def percentile(values, fraction):
    return sorted(values)[min(len(values) - 1, int(fraction * len(values)))]


def of_status(server, name):
    """A number of /proc/PID/status."""
    lines = pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name + ":")).split()[1])


def memory(server):
    """Bytes that the server has in memory."""
    return 1024 * of_status(server, "VmRSS")


def threads(server):
    return of_status(server, "Threads")


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


async def burst(long):
    """Counts of seeds 001 and 004, which lost 28.9 % of the first; uncached, then cached."""
    pool = sample.take(2000 // SHORT**2)
    scores = sample.scores_of(pool)
    found = {}
    for name, count, options in (("uncached", 10_000 if long else 400 // SHORT, NO_CACHE),
                                 ("cached", 51_552 if long else 4_000 // SHORT, ["--drain-delay", 0])):
        with ServerProcess(options=options) as server:
            times = []

            async def ask(connection, number):
                text = pool[number % len(pool)]
                start = time.perf_counter()
                answer = await connection.request("POST", "/bulk-predict", sample.body_of([text]))
                times.append(time.perf_counter() - start)
                assert answer.status == 200, answer
                sample.check_prediction(answer.body, text, scores)

            start = time.perf_counter()
            await run_all(server.port, 64, iter(range(count)), ask)
            assert len(times) == count
            found[name] = {"requests": count, "failed": 0, "per_second": round(count / (time.perf_counter() - start)),
                           "p99_ms": round(1e3 * percentile(times, 0.99), 1)}
    return found


async def overload(long):
    """Callers twice and ten times as many as the server takes at a time."""
    limit = 32
    pool = sample.take(4000 // SHORT**2)
    scores = sample.scores_of(pool)
    total = 1_000_000 if long else 6_000 // SHORT
    found = {}
    with ServerProcess(options=[*NO_CACHE, "--max-concurrent-requests", limit]) as server:
        for times_capacity in (1, 2, 10):
            count = total // 20 if times_capacity == 1 else total // 2
            statuses, answered, waits = {}, [], []

            async def ask(connection, number):
                text = pool[number % len(pool)]
                mark = f"load-{times_capacity}-{number}"
                start = time.perf_counter()
                fields = [("X-Request-Id", mark)]
                answer = await connection.request("POST", "/bulk-predict", sample.body_of([text]), fields)
                assert answer.fields["x-request-id"] == mark, "another request's answer"
                assert answer.status in (200, 429, 503), answer
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
                answered.append(number)
                if answer.status == 200:
                    waits.append(time.perf_counter() - start)
                    sample.check_prediction(answer.body, text, scores)
                else:
                    assert float(answer.fields["retry-after"]) >= 0
                    await asyncio.sleep(0.005)  # far less than it was told, so that the load stays

            start = time.perf_counter()
            await run_all(server.port, limit * times_capacity, iter(range(count)), ask)
            assert sorted(answered) == list(range(count)), "each request has one answer"
            assert statuses.get(200), "the server serves what it takes"
            found[f"{times_capacity}x"] = {
                "requests": count, "statuses": statuses, "p99_ms": round(1e3 * percentile(waits, 0.99), 1),
                "good_per_second": round(statuses[200] / (time.perf_counter() - start))}
        assert found["10x"]["statuses"].get(429), "ten times too many callers, and none was refused"
    return found


async def connections(long):
    """Idle ones, and slow ones of three kinds: half a header, a body that drips, an answer that nobody reads."""
    idle, slow, seconds = (10_000, 5_000, 240) if long else (1_000, 300, 3)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < idle + slow + 500:
        raise SystemExit(f"connections: {most} descriptors are allowed, {idle + slow + 500} needed (ulimit -n)")
    text = "two hours I will not get back"
    scores = sample.scores_of([text])
    with ServerProcess(options=["--max-connections", idle + slow + 100, "--drain-delay", 0]) as server:
        before = memory(server), descriptors(server)
        held = []
        for number in range(idle + slow):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            held.append((reader, writer))
            if number >= idle:
                kind = number % 3
                if kind == 0:
                    writer.write(b"POST /bulk-predict HTTP/1.1\r\nHost: a\r\nContent-Le")
                elif kind == 1:
                    writer.write(b"POST /bulk-predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{")
                else:
                    writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 4)
        canary, waits = Connection(server.port), []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.perf_counter()
            answer = await canary.request("POST", "/bulk-predict", sample.body_of([text]))
            waits.append(time.perf_counter() - start)
            assert answer.status == 200
            sample.check_prediction(answer.body, text, scores)
            await asyncio.sleep(0.02)
        during = memory(server)
        for _, writer in held:
            writer.transport.abort()
        canary.close()
        for _ in range(100):
            if descriptors(server) <= before[1] + 5:
                break
            await asyncio.sleep(0.1)
        assert descriptors(server) <= before[1] + 5, "descriptors stay open"
        grown = during - before[0]
        assert grown < 150e6 or SANITIZED, f"{grown} bytes for {idle + slow} connections"
        return {"idle": idle, "slow": slow, "canary_answers": len(waits), "p99_ms": round(1e3 * percentile(waits, 0.99), 1),
                "bytes_a_connection": round(grown / (idle + slow))}


async def redis_idle(long):
    """Seed 004's fault: a request after Redis closed the connection for its idleness got 500."""
    waits, kills = (100, 100) if long else (3, 20)
    pool = sample.take(waits + kills)
    scores = sample.scores_of(pool)
    with RedisProcess("--timeout", "1") as redis, ServerProcess(
            options=[*NO_CACHE, "--redis-url", f"unix://{redis.path}"]) as server:
        connection = Connection(server.port)
        for number, text in enumerate(pool):
            for _ in range(2):  # computed and stored; then, mostly, found
                answer = await connection.request("POST", "/bulk-predict", sample.body_of([text]))
                assert answer.status == 200, answer
                sample.check_prediction(answer.body, text, scores)
            if number < waits:
                await asyncio.sleep(2.2)
            else:
                assert redis.kill_clients() >= 1
        (hits,) = await redis_hits(connection)
        connection.close()
        assert hits > 0, "Redis was never of use"
    return {"idle_cycles": waits, "killed_connections": kills, "answers": 2 * len(pool), "failed": 0}


async def soak(long):
    """95 in 100 requests of a hundred texts, the others new; every route of people and probes now and then."""
    minutes = 30 if long else 0.15
    cache = ["--cache-megabytes", 2]  # full before the first third has passed: what grows then is lost
    hot = sample.take(100)
    fresh = itertools.islice(sample.sentences(), 100, None)
    with RedisProcess() as redis, ServerProcess(
            options=["--redis-url", f"unix://{redis.path}", "--drain-delay", 0, *cache]) as server:
        end = time.monotonic() + 60 * minutes
        counts, samples = {}, []

        async def ask(connection, _):
            route = random.random()
            if route < 0.98:
                text = random.choice(hot) if random.random() < 0.95 else next(fresh)
                answer = await connection.request("POST", "/bulk-predict", sample.body_of([text]))
            else:
                answer = await connection.request("GET", random.choice(["/metrics", "/health", "/readyz"]))
            counts[answer.status] = counts.get(answer.status, 0) + 1

        async def watch():
            while time.monotonic() < end:
                await asyncio.sleep(min(10, 60 * minutes / 10))
                samples.append((time.monotonic(), memory(server), descriptors(server), threads(server)))

        def until_the_end():
            while time.monotonic() < end:
                yield None

        await asyncio.gather(run_all(server.port, 16, until_the_end(), ask), watch())
        assert set(counts) == {200}, counts
        settled = samples[len(samples) // 3:]
        slope = 3600 * statistics.linear_regression([at for at, *_ in settled], [bytes for _, bytes, *_ in settled]).slope
        assert settled[-1][2] - settled[0][2] < 20, "descriptors grow"
        assert settled[-1][3] == settled[0][3], "threads grow"
        assert settled[-1][1] < 80e6 or SANITIZED, f"{settled[-1][1]} bytes"
        if long:
            assert slope < 1e6, f"{slope} bytes an hour"
    return {"minutes": minutes, "requests": sum(counts.values()), "memory_mb": round(settled[-1][1] / 1e6, 1),
            **({"mb_an_hour": round(slope / 1e6, 2)} if long else {})}


CHECKS = {"burst": burst, "overload": overload, "connections": connections, "redis": redis_idle, "faults": redis_faults,
          "soak": soak}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", choices=[[], *CHECKS], metavar="CHECK")
    parser.add_argument("--long", action="store_true", help="the full counts")
    args = parser.parse_args()
    for name in args.checks or CHECKS:
        start = time.monotonic()
        found = asyncio.run(CHECKS[name](args.long))
        print(json.dumps({"check": name, **found, "seconds": round(time.monotonic() - start, 1)}), flush=True)


if __name__ == "__main__":
    main()
