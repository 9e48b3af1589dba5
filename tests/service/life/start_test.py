"""How distilbert-server starts: when it is ready, and what it says of a model that it cannot serve.

`--measure 20` tells the time from start to ready of so many starts, which means something only on an idle machine.
"""

import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_process import PROGRAM, SOURCE, ServerProcess

SST2 = SOURCE / "models/sst2"


def fails(model):
    """The one line that it says of this model; it says nothing on standard output, which is for what works."""
    result = subprocess.run([PROGRAM, "--model", model, "--host", "127.0.0.1", "--port", "0", "--log-level", "off"],
                            capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1 and result.stderr.startswith("distilbert-server: "), result.stderr
    return result.stderr


@pytest.fixture
def model(tmp_path):
    return Path(shutil.copytree(SST2, tmp_path / "model"))


def test_it_is_ready_when_it_says_where_it_listens():
    command = [PROGRAM, "--model", SST2, "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            port = int(re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", process.stdout.readline())[1])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/readyz")
            assert connection.getresponse().status == 200
        finally:
            process.terminate()


@pytest.mark.parametrize("options, pages", [([], True), (["--no-page"], False), (["--root-path", "/project"], False)])
def test_it_says_where_things_are(options, pages):
    with ServerProcess(options=options) as server:
        root = server.url + (options[1] if "--root-path" in options else "")
        server.out.seek(0)
        said = server.out.read().decode()
    assert f"documentation  {root}/docs\n" in said and f"metrics        {root}/metrics\n" in said
    assert (f"page           {root}/\n" in said) == pages


@pytest.mark.parametrize("manual", ["README.md", "examples/kubernetes/README.md"])
def test_the_first_request_of_the_manual(manual):
    commands = re.findall(r"^curl .*$", (SOURCE / manual).read_text(), re.M)
    assert commands
    with ServerProcess() as server:
        for command in commands:
            shown = subprocess.run(command.replace("http://127.0.0.1:8000", server.url), shell=True, check=True,
                                   capture_output=True, timeout=60).stdout
            assert json.loads(shown)[0]["label"] == "POSITIVE"


def test_the_pod_of_the_manual():
    """It has minutes to start, and is not killed before it has ended."""
    manual = (SOURCE / "examples/kubernetes/README.md").read_text()
    settings = dict(re.findall(r"^\| `--([a-z-]+) SECONDS`.*?\| (\d+)\b[^|]*\| [^|]* \|$", manual, re.M))
    grace = int(re.search(r"^terminationGracePeriodSeconds: (\d+)", manual, re.M)[1])
    assert grace > int(settings["drain-delay"]) + int(settings["grace-limit"])
    startup = re.search(r"startupProbe: .*periodSeconds: (\d+), failureThreshold: (\d+)", manual)
    assert int(startup[1]) * int(startup[2]) >= 120


def test_ipv6():
    command = [PROGRAM, "--model", SST2, "--host", "::1", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() or process.stderr.read()
            assert re.fullmatch(r"listening on http://\[::1\]:\d+\n", said), said
        finally:
            process.terminate()


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "vocab.txt"])
def test_a_file_is_missing(model, file):
    (model / file).unlink()
    if file == "vocab.txt":  # a converted model carries its vocabulary
        with ServerProcess(model) as server:
            assert server.get("/readyz").status == 200
    else:
        assert str(model / file) in fails(model)


@pytest.mark.parametrize("bytes_kept", [0, 7, 1000, 1_000_000])
def test_the_weights_are_cut(model, bytes_kept):
    os.truncate(model / "model.safetensors", bytes_kept)
    assert str(model / "model.safetensors") in fails(model)


def test_the_weights_are_not_what_they_were(model):
    """With a part of the file overwritten it does not reproduce the answer stored with it."""
    with open(model / "model.safetensors", "r+b") as file:
        file.seek(12_000_000)
        file.write(b"\x7f" * 4_000_000)
    assert re.search("reproduce|finite", fails(model))


def test_the_configuration_is_no_configuration(model):
    (model / "config.json").write_text("[]")
    assert str(model / "config.json") in fails(model)


def test_no_directory():
    assert "/nowhere/config.json" in fails("/nowhere")


def test_the_files_may_change_while_it_runs(model):
    """It has a copy: even a file that is cut under it does no harm."""
    body = {"text": ["a fine film"]}
    with ServerProcess(model) as server:
        before = server.post("/bulk-predict", body).body
        for file in model.iterdir():
            os.truncate(file, 0)
        shutil.rmtree(model)
        other = [server.post("/bulk-predict", {"text": [f"film number {i} " * 50]}).status for i in range(10)]
        assert server.post("/bulk-predict", body).body == before and set(other) == {200}


def test_a_mapped_model():
    with ServerProcess(options=["--map-model"]) as server:
        assert server.post("/bulk-predict", {"text": ["a fine film"]}).status == 200


@pytest.mark.parametrize("limit, connections, descriptors, allowed", [
    ("ulimit -Sn 256", 1000, 1253, 1000), ("ulimit -n 600", 1000, 600, 347), ("ulimit -Sn 2000", 1000, 2000, 1000)])
def test_open_files(limit, connections, descriptors, allowed):
    """The limit is raised to what the connections need, if that is allowed; else there are fewer connections."""
    server = ServerProcess(options=["--max-connections", connections])
    server.command = ["sh", "-c", f'{limit} && exec "$@"', "sh", *server.command]
    with server:
        assert f"process_max_fds {descriptors}\n" in server.get("/metrics").body.decode()
        assert f'"max_connections":{allowed}' in server.errors


def measure(starts):
    milliseconds = []
    for _ in range(starts):
        with tempfile.TemporaryFile() as errors:
            start = time.perf_counter()
            process = subprocess.Popen([PROGRAM, "--model", SST2, "--host", "127.0.0.1", "--port", "0"],
                                       stdout=subprocess.PIPE, stderr=errors)
            process.stdout.readline()
            milliseconds.append(1000 * (time.perf_counter() - start))
            process.terminate()
            process.communicate()
    print(f"start to ready: least {min(milliseconds):.1f} ms, median {statistics.median(milliseconds):.1f} ms")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        sys.exit(measure(int(sys.argv[2])))
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", "--durations=5", *sys.argv[1:]]))
