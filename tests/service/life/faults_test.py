"""What the machine may do to distilbert-server: set the clock, have no room for a thread, or hardly any memory left."""

import concurrent.futures
import datetime
import email.utils
import glob
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_process import PROGRAM, SOURCE, ServerProcess

BODY = {"text": ["a film that is over before it began"]}


class MemoryGroup:
    """A control group of memory, of version 1 or 2, for a `with` statement."""

    def __enter__(self):
        version_1 = Path("/sys/fs/cgroup/memory")
        self.limit, self.peak = ("memory.limit_in_bytes", "memory.max_usage_in_bytes") if version_1.exists() else (
            "memory.max", "memory.peak")
        self.folder = (version_1 if version_1.exists() else version_1.parent) / f"distilbert-server-{os.getpid()}"
        try:
            self.folder.mkdir()
        except OSError as error:
            pytest.skip(f"no control group can be made here: {error}")
        if not (self.folder / self.peak).exists():
            self.folder.rmdir()
            pytest.skip("the control groups that can be made here do not count memory")
        return self

    def __exit__(self, *_):
        self.folder.rmdir()

    def holding(self, command):
        return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self.folder), *command]

    def largest_use(self):
        return int((self.folder / self.peak).read_text())

    def allow(self, size):
        (self.folder / self.limit).write_text(str(size))


@pytest.fixture(scope="module")
def limited():
    """Makes servers of a user who has no other processes, and may have so many threads; the source tree may be out of
    this user's reach."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(PROGRAM, folder)
        model = shutil.copytree(SOURCE / "models/sst2", Path(folder, "model"))

        def make(threads, *options):
            server = ServerProcess(model, options)
            server.command = ["prlimit", f"--nproc={threads}:{threads}", "setpriv", "--reuid=64999", "--regid=64999",
                              "--clear-groups", program, *server.command[1:]]
            return server

        yield make


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
            shown = email.utils.parsedate_to_datetime(reply.headers["Date"])
            set_by = shown - datetime.datetime.now(datetime.timezone.utc)
            assert abs(set_by - datetime.timedelta(days=days)) < datetime.timedelta(days=1)


def test_no_room_for_threads_at_the_start(limited):
    """It serves with those that it got, or ends with a line that says why."""
    ends = 0
    for threads in range(1, 12):
        server = limited(threads)
        try:
            with server:
                assert server.post("/bulk-predict", BODY).status == 200
        except RuntimeError:
            assert server.process.returncode == 1
            reason = server.errors.splitlines()[-1]
            assert reason == "distilbert-server: no room for another thread: Resource temporarily unavailable"
            ends += 1
    assert 0 < ends < 11


def test_no_room_for_threads_under_load(limited):
    """With as many as it has once it is ready, and one that may have ended then."""
    with limited(100) as server:
        threads = len(os.listdir(f"/proc/{server.process.pid}/task"))
    with limited(threads + 1, "--cache-megabytes", 0) as server:
        for _ in range(20):
            assert server.post("/bulk-predict", {"text": BODY["text"] * 8}).status == 200


def test_hardly_any_memory_left():
    """With 90 % of what its group may have in use, the load that it had before is served as before, and no more memory
    is asked for."""
    bodies = [{"text": [f"{BODY['text'][0]} {i} {j}" for j in range(16)]} for i in range(200)]
    with MemoryGroup() as group:
        server = ServerProcess(options=("--cache-megabytes", 1))
        server.command = group.holding(server.command)
        with server, concurrent.futures.ThreadPoolExecutor(16) as clients:
            def answers():
                replies = list(clients.map(lambda body: server.post("/bulk-predict", body), bodies))
                assert {reply.status for reply in replies} == {200}
                return [reply.json for reply in replies]

            before = answers()
            group.allow(group.largest_use() * 10 // 9)
            for _ in range(3):
                assert answers() == before
                assert server.get("/readyz").status == 200


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
