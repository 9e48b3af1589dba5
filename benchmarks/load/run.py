#!/usr/bin/env python3
"""Loads distilbert-server, and FastAPI around transformers beside it, and writes what it finds: run.py [options]

Server and client share the CPUs of this machine, on loopback. Each figure is the best of several rounds in which the
contestants take turns; only one of them runs at a time. Texts are sentences of the Stanford Sentiment Treebank.

  bare      the library in a loop of its own, a text at a time on each CPU: what a server could reach at best
  uncached  every request brings a text that is computed
  cached    95 in 100 requests bring one of a hundred texts, the others new ones: the load test of the classroom
  cached-few  the same with four connections instead of sixteen
  health    GET /health
  k6        the script of the classroom, ten users, where k6 is (see load_test.sh)
"""

import argparse
import contextlib
import datetime
import itertools
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
BUILD = ROOT / "build" / "load"
PROGRAMS = ROOT / "build" / "bench" / "bin"
MODEL = ROOT / "models" / "sst2"
sys.path += [str(ROOT / "benchmarks" / "peers"), str(ROOT / "weights_converter" / "train")]

HOT = 100  # texts of which most cached requests are made


def sentences(folder):
    import sst

    return [sst.as_written(text) for split in ("test", "train")
            for text, _ in sst.read(sst.fetch(folder), split, phrases=False)]  # fmt: skip


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read()


@contextlib.contextmanager
def serving(command, log, **environment):
    """Starts a server, which gets a free port, and yields its address and process once it is healthy."""
    port = free_port()
    process = subprocess.Popen([word.replace("PORT", str(port)) for word in map(str, command)], stdout=log, stderr=log,
                               env=os.environ | environment, cwd=HERE)  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            with contextlib.suppress(OSError):
                fetch(url + "/health")
                break
            if process.poll() is not None:
                raise SystemExit(f"{command[0]} ended with status {process.returncode}: see {log.name}")
            time.sleep(0.1)
        else:
            raise SystemExit(f"{command[0]} does not answer: see {log.name}")
        yield url, process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def family(pid):
    """The process and its children."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(p for child in children for p in family(int(child)))]


def cpu_seconds(pid):
    ticks = 0
    for member in family(pid):
        ticks += sum(map(int, pathlib.Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_memory_mb(pid):
    def peak(member):
        return int(re.search(r"VmHWM:\s*(\d+)", pathlib.Path(f"/proc/{member}/status").read_text())[1])

    return round(sum(map(peak, family(pid))) * 1024 / 1e6, 1)


def recorded(times_us, duration_us, requests, connections):
    """How many requests took how long. To that wrk adds, for each that took more than twice the mean time between two
    requests of a connection, one for every such time that it lasted (stats_correct() in its stats.c): what a client
    that sends by the clock would have seen. Ours sends when it has its answer: what was added is taken out again."""
    counts = dict(times_us)
    interval = duration_us // max(1, requests // connections)
    for time_us in sorted((t for t in counts if t >= 2 * interval), reverse=True):
        for added in range(time_us - interval, interval, -interval):
            counts[added] -= counts[time_us]
    assert sum(counts.values()) == requests, "wrk counted otherwise than this thinks"
    return counts


def percentile(counts, share):
    seen = itertools.accumulate(count for _, count in sorted(counts.items()))
    return next(time for time, below in zip(sorted(counts), seen) if below >= share * sum(counts.values()))


def wrk(url, seconds, connections, posts):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", HERE / "load.lua",
               url]  # fmt: skip
    command += ["--", *posts] if posts else []
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    found = json.loads(run.stderr.splitlines()[-1])
    times = recorded(found.pop("times_us"), found["duration_us"], found["requests"], connections)
    return {
        "requests": found["requests"],
        "per_second": round(found["requests"] / found["duration_us"] * 1e6, 1),
        "p50_ms": percentile(times, 0.5) / 1e3, "p99_ms": percentile(times, 0.99) / 1e3, "most_ms": max(times) / 1e3,
        "failed": found["failed"],
    }  # fmt: skip


def better(best, found):
    return found if best is None or found["per_second"] > best["per_second"] else best


class Bench:
    def __init__(self, args):
        self.args = args
        self.results = {}
        BUILD.mkdir(parents=True, exist_ok=True)
        texts = sentences(args.data)
        self.texts, self.bodies = BUILD / "texts.txt", BUILD / "bodies.jsonl"
        self.texts.write_text("".join(text + "\n" for text in texts[HOT : HOT + 2000]), encoding="utf-8")
        self.bodies.write_text("".join(json.dumps({"text": [text]}) + "\n" for text in texts), encoding="utf-8")
        self.log = open(BUILD / "log.txt", "w")

    def ours(self, *options):
        return serving([PROGRAMS / "distilbert-server", "--model", MODEL, "--host", "127.0.0.1", "--port", "PORT",
                        *options], self.log, LOG_LEVEL="warning")  # fmt: skip

    def peer(self):
        return serving([BUILD / "venv" / "bin" / "uvicorn", "app:app", "--host", "127.0.0.1", "--port", "PORT",
                        "--workers", len(os.sched_getaffinity(0)), "--log-level", "warning"],
                       self.log, MODEL=str(BUILD / "sst2"), HF_HUB_OFFLINE="1")  # fmt: skip

    def keep(self, name, engine, found):
        key = f"{name} {engine}"
        self.results[key] = better(self.results.get(key), found)
        print(f"{key:24} {found['per_second']:10,.1f}/s", flush=True)

    def measure(self, name, engine, server, *posts, path="/bulk-predict", connections=16):
        with server as (url, process):
            before = cpu_seconds(process.pid)
            found = wrk(url + path, self.args.seconds, connections, posts)
            found["cpu_us"] = round(1e6 * (cpu_seconds(process.pid) - before) / max(1, found["requests"]), 1)
            found["peak_memory_mb"] = peak_memory_mb(process.pid)
        self.keep(name, engine, found)

    def bare(self):
        threads = len(os.sched_getaffinity(0))
        run = subprocess.run([PROGRAMS / "distilbert-bench-bare", MODEL, self.texts, str(threads),
                              str(self.args.seconds)], capture_output=True, text=True, check=True)  # fmt: skip
        self.keep("bare", "library", {"per_second": float(run.stdout)})

    def k6(self):
        program = BUILD / "bin" / "k6"
        if not program.exists():
            return
        summary = BUILD / "k6.json"
        with self.ours() as (url, _):
            run = subprocess.run([program, "run", "--quiet", "--summary-export", summary, "-e", f"URL={url}", "-e",
                                  f"BODIES={self.bodies}", "-e", f"SECONDS={self.args.seconds}", HERE / "k6.js"],
                                 stdout=self.log, stderr=self.log)  # fmt: skip
        metrics = json.loads(summary.read_text())["metrics"]
        times = metrics["http_req_duration"]
        self.keep("k6", "distilbert", {
            "requests": metrics["http_reqs"]["count"], "per_second": round(metrics["http_reqs"]["rate"], 1),
            "p50_ms": times["med"], "p99_ms": times["p(99)"], "most_ms": times["max"],
            "failed": metrics["checks"]["fails"], "passed": run.returncode == 0,
        })  # fmt: skip

    def round(self, number):
        self.bare()
        self.measure("uncached", "distilbert", self.ours("--cache-megabytes", "0"), self.bodies, HOT, 0)
        if not self.args.no_peer:
            self.measure("uncached", "fastapi", self.peer(), self.bodies, HOT, 0)
        self.measure("cached", "distilbert", self.ours(), self.bodies, HOT, 0.95)
        self.measure("cached-few", "distilbert", self.ours(), self.bodies, HOT, 0.95, connections=4)
        if not self.args.no_peer and number == 0:
            self.measure("health", "fastapi", self.peer(), path="/health")
        self.measure("health", "distilbert", self.ours(), path="/health")
        self.k6()


def cpu_name():
    return re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())[1]


def isa():
    run = subprocess.run([PROGRAMS / "distilbert-classify", "--model", MODEL, "--selfcheck"], capture_output=True,
                         text=True, check=True)  # fmt: skip
    return run.stdout.strip().rpartition(", ")[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "build" / "sst",
                        help="folder of the Treebank's train.txt, dev.txt, test.txt; downloaded into when absent")
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peer", action="store_true", help="leave FastAPI out")
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing (Debian's package wrk)")
    if not args.no_peer and not (BUILD / "sst2" / "model.safetensors").exists():
        import hugging_face

        hugging_face.write_hugging_face("sst2", BUILD / "sst2")
    bench = Bench(args)
    for number in range(args.rounds):
        bench.round(number)
    head = {"date": datetime.date.today().isoformat(), "cpu": cpu_name(), "cpus": len(os.sched_getaffinity(0)),
            "isa": isa(), "seconds": args.seconds, "rounds": args.rounds}  # fmt: skip
    (BUILD / "load.json").write_text(json.dumps(head | {"results": bench.results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
