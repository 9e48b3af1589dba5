"""What the machine may do to distilbert-server: set the clock, or have no room for a thread."""

import datetime
import email.utils
import glob
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_process import ServerProcess

BODY = {"text": ["a film that is over before it began"]}


def of_nobody(server, threads):
    """The server as a user whose processes may have so many threads in all; root may have any number."""
    prefix = ["prlimit", f"--nproc={threads}:{threads}"]
    if os.geteuid() == 0:
        prefix += ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    server.command = [*prefix, *server.command]
    return server


def test_the_clock_is_set(tmp_path):
    """Which a deadline, a batch or a row of the cache must not notice; the Date of an answer does."""
    (library,) = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    now = tmp_path / "now"
    now.write_text("+0")
    env = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(now), "FAKETIME_NO_CACHE": "1",
           "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with ServerProcess(env=env) as server:
        kept = server.connection()
        for days in (0, 400, -400, 3000, 0):
            now.write_text(f"{days:+}d")
            for _ in range(5):
                assert server.post("/bulk-predict", BODY).status == 200
            kept.request("GET", "/readyz")
            reply = kept.getresponse()
            assert reply.status == 200 and reply.read()
            shown = email.utils.parsedate_to_datetime(reply.headers["Date"]) - datetime.datetime.now(datetime.timezone.utc)
            assert abs(shown - datetime.timedelta(days=days)) < datetime.timedelta(days=1)


def test_no_room_for_threads_at_the_start():
    """It serves with those that it got, or ends with a line that says why."""
    ends = 0
    for threads in range(1, 12):
        server = of_nobody(ServerProcess(), threads)
        try:
            with server:
                assert server.post("/bulk-predict", BODY).status == 200
        except RuntimeError:
            assert server.process.returncode == 1
            reason = server.errors.splitlines()[-1]
            assert reason == "distilbert-server: no room for another thread: Resource temporarily unavailable"
            ends += 1
    assert 0 < ends < 11


def test_no_room_for_threads_under_load():
    """With as many as it has once it is ready, and one that may have ended then."""
    with of_nobody(ServerProcess(), 100) as server:
        threads = len(os.listdir(f"/proc/{server.process.pid}/task"))
    with of_nobody(ServerProcess(options=["--cache-megabytes", "0"]), threads + 1) as server:
        for _ in range(20):
            assert server.post("/bulk-predict", {"text": BODY["text"] * 8}).status == 200


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
