"""What distilbert-server shows of itself over HTTP and in its log: metrics, ids, times; and whom it answers."""

import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_process import PROGRAM, SOURCE, ServerProcess

TEXT = "xylophone marmalade, a text of somebody's"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def log_lines(server):
    """The log, line by line; each must be an object."""
    lines = [json.loads(line) for line in server.errors.splitlines()]
    assert all(isinstance(line, dict) and line["level"] in ("DEBUG", "INFO", "WARNING", "ERROR") and
               re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"]) and
               line["service"] == "distilbert-server" and line["message"] for line in lines)
    return lines


def series(server):
    """Name with labels -> value."""
    lines = server.get("/metrics").body.decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_metrics_are_well_formed():
    with ServerProcess() as server:
        for path in ("/bulk-predict", "/nowhere", "/livez"):
            server.post(path, {"text": [TEXT]})
        reply = server.get("/metrics")
        assert reply.status == 200
        assert reply.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    result = subprocess.run(["promtool", "check", "metrics"], input=reply.body, capture_output=True, timeout=60)
    # 3: well-formed, but not named as Prometheus advises; that is so of TEI's names alone.
    assert result.returncode in (0, 3), result.stderr
    complaints = (result.stdout + result.stderr).decode().splitlines()
    assert all(line.startswith("te_") for line in complaints), complaints


def test_the_manual_knows_every_metric():
    manual = (SOURCE / "examples/kubernetes/README.md").read_text()
    with ServerProcess(env={"REDIS_URL": "redis://127.0.0.1:1"}) as server:
        server.get("/livez")
        exposed = set(re.findall(rb"^# TYPE (\w+)", server.get("/metrics").body, re.M))
    exposed = {name.decode() for name in exposed}
    ours = {name for name in exposed if name.startswith("distilbert_")}
    assert set(re.findall(r"`(distilbert_\w+)`", manual)) == ours
    for name in re.findall(r"`(te_[a-z_]+[a-z])`", manual):
        assert name in exposed


def test_requests_are_counted_by_pattern():
    with ServerProcess() as server:
        before = series(server)
        for i in range(50):
            server.get(f"/nowhere/{i}")
        assert server.post("/bulk-predict", {"text": [TEXT]}).status == 200
        after = series(server)
    new = {name: value for name, value in after.items() if name not in before}
    assert after['distilbert_http_requests_total{method="GET",route="none",status="404"}'] == 50
    assert after['distilbert_http_requests_total{method="POST",route="/bulk-predict",status="200"}'] == 1
    assert not any("/nowhere" in name or TEXT in name for name in after)
    # One counter each, and one histogram each; the scrape before may count, too.
    assert {re.search(r'route="([^"]*)"', name)[1] for name in new} <= {"none", "/bulk-predict", "/metrics"}
    assert after["process_resident_memory_bytes"] > 1e6
    assert after["distilbert_http_connections"] >= 1


def test_what_never_comes_to_a_route_is_counted_and_logged():
    with ServerProcess(options=["--log-level", "debug"]) as server:
        assert server.post("/predict", TEXT, fields={"Content-Type": "text/plain"}).status == 415
        assert server.request("MARMALADE", "/livez").status == 405
        counted = series(server)
        server.stop()
        lines = log_lines(server)
    assert counted['distilbert_http_requests_total{method="POST",route="none",status="415"}'] == 1
    assert counted['distilbert_http_requests_total{method="other",route="/livez",status="405"}'] == 1
    assert any(line.get("status") == 415 and line["level"] == "DEBUG" for line in lines)
    assert "MARMALADE" not in server.errors


def test_scrapes_under_load():
    """They are answered while every inference slot is taken."""
    with ServerProcess(options=["--threads", "1"]) as server:
        stop = threading.Event()

        def load():
            while not stop.is_set():
                server.post("/bulk-predict", {"text": [TEXT * 10] * 8})

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(50):
                assert b"te_queue_size" in server.get("/metrics").body
                assert server.get("/livez").status == server.get("/readyz").status == 200
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def test_log_has_events_but_no_text():
    with ServerProcess(options=["--log-level", "debug", "--max-connections", "100"]) as server:
        server.post("/bulk-predict", {"text": [TEXT]}, fields={"traceparent": PARENT, "X-Request-Id": "id-1"})
        server.post("/bulk-predict?" + "q=marmalade", f'{{"text": "{TEXT}"')
        server.get("/xylophone/marmalade")
        server.stop()
        lines = log_lines(server)
        assert "xylophone" not in server.errors and "marmalade" not in server.errors
    messages = [line["message"] for line in lines]
    assert [m for m in messages if m != "request"] == ["listening", "ready", "draining", "ended"]
    requests = [line for line in lines if line["message"] == "request"]
    ours = next(line for line in requests if line["correlation_id"] == "id-1")
    assert ours["trace_id"] == PARENT[3:35]
    assert (ours["method"], ours["route"], ours["status"]) == ("POST", "/bulk-predict", 200)
    assert ours["duration_ms"] > 0 and ours["level"] == "DEBUG"
    assert any(line["route"] == "" and line["status"] == 404 for line in requests)


@pytest.mark.parametrize("options, levels", [(["--log-level=info"], set()), (["--log-requests"], {"INFO"}),
                                             (["--log-level=warning"], set()), (["--log-level=debug"], {"DEBUG"})])
def test_where_requests_are_logged(options, levels):
    with ServerProcess(options=options) as server:
        server.get("/livez")
        server.stop()
        assert {line["level"] for line in log_lines(server) if line["message"] == "request"} == levels


def test_a_redis_that_is_not_there():
    """Which is told without a request that would need it."""
    with ServerProcess(env={"REDIS_URL": "redis://127.0.0.1:1"}) as server:
        deadline = time.monotonic() + 60
        while series(server)["distilbert_redis_up"] == 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert series(server)["distilbert_redis_up"] == 0
        server.stop()
        warnings = [line for line in log_lines(server) if line["level"] == "WARNING"]
    assert [(line["message"], line["why"]) for line in warnings] == [("Redis is left alone", "cannot connect")]


def test_log_for_people():
    with ServerProcess(options=["--log-format", "text"]) as server:
        pass
    assert re.search(r"^\d\d:\d\d:\d\d\.\d{3} info +ready model=\"sst2\"", server.errors, re.M)


def test_ids_and_times_come_back():
    with ServerProcess() as server:
        for path in ("/livez", "/nowhere"):
            reply = server.get(path, fields={"traceparent": PARENT, "X-Request-Id": "my-id"})
            assert (reply.fields["traceparent"], reply.fields["x-request-id"]) == (PARENT, "my-id")
            assert re.fullmatch(r"total;dur=\d+\.\d{3}", reply.fields["server-timing"])
            reply = server.get(path, fields={"traceparent": "nonsense", "X-Request-Id": "two words"})
            assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", reply.fields["traceparent"])
            assert reply.fields["x-request-id"] == reply.fields["traceparent"][3:35]


def test_api_key():
    body = {"text": [TEXT]}
    with ServerProcess(env={"API_KEY": "secret"}) as server:
        for fields in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}, {"X-API-Key": "secre"}):
            reply = server.post("/bulk-predict", body, fields=fields)
            assert reply.status == 401 and reply.fields["www-authenticate"] == "Bearer" and reply.json["detail"]
        for fields in ({"Authorization": "Bearer secret"}, {"X-API-Key": "secret"}):
            assert server.post("/bulk-predict", body, fields=fields).status == 200
        for path in ("/livez", "/readyz", "/healthz", "/metrics", "/health"):
            assert server.get(path).status == 200
        server.stop()
        assert "secret" not in server.errors


def listening_port(process):
    """Of a process that can tell nobody: where the kernel says that it listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        folder = Path(f"/proc/{process.pid}")
        try:
            inodes = {os.readlink(entry)[8:-1] for entry in (folder / "fd").iterdir()}
        except FileNotFoundError:  # one was closed meanwhile
            continue
        for line in (folder / "net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                return int(fields[1].split(":")[1], 16)
        time.sleep(0.02)
    raise TimeoutError


@pytest.mark.parametrize("streams", [">&- 2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
def test_standard_streams_may_be_closed_or_full(streams):
    """Nobody reads them; it serves, and no connection takes their place."""
    command = [str(PROGRAM), "--model", str(SOURCE / "models/sst2"), "--host", "127.0.0.1", "--port", "0",
               "--log-level", "debug"]
    process = subprocess.Popen(["sh", "-c", f'exec "$@" {streams}', "sh", *command], stdin=subprocess.DEVNULL)
    try:
        port = listening_port(process)
        for _ in range(20):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/livez")
            assert connection.getresponse().read() == b"ok"
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_a_log_that_nobody_reads_holds_nothing_up():
    """The pipe is full after some hundred lines."""
    reader, writer = os.pipe()
    with subprocess.Popen([PROGRAM, "--model", SOURCE / "models/sst2", "--host", "127.0.0.1", "--port", "0",
                           "--log-level", "debug"], stdout=subprocess.DEVNULL, stderr=writer) as process:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", listening_port(process), timeout=60)
            for _ in range(1000):
                connection.request("GET", "/livez")
                assert connection.getresponse().read() == b"ok"
            connection.close()
        finally:
            process.terminate()
        assert process.wait(60) == 0
    os.close(reader)
    os.close(writer)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
