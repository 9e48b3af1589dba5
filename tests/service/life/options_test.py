"""The settings of distilbert-server: from the command line, the environment and a file; and what is said of bad ones."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_process import PROGRAM, SOURCE, ServerProcess

# Every setting but --config, --help and --version: its flag, a value that it takes, and one that it does not.
SETTINGS = {
    "--model": ("/nowhere/else", None),
    "--served-model-name": ("a name", "org/name"),
    "--precision": ("int8", "int4"),
    "--threads": ("1", "-1"),
    "--isa": ("portable", None),
    "--max-length": ("16", "1"),
    "--special-tokens-as-text": (True, "maybe"),
    "--neutral-below": ("0.75", "1.5"),
    "--map-model": (True, "maybe"),
    "--host": ("127.0.0.1", "nowhere"),
    "--port": ("0", "65536"),
    "--root-path": ("/project", "project/"),
    "--api-key": ("secret", "secret\x7f"),
    "--no-page": (True, "2"),
    "--max-body-bytes": ("1000", "0"),
    "--max-total-body-bytes": ("3000000", "0"),
    "--max-connections": ("10", "many"),
    "--max-concurrent-requests": ("10", "1.5"),
    "--max-client-batch-size": ("10", "0"),
    "--max-bulk-texts": ("10", "0"),
    "--max-batch-tokens": ("512", "0"),
    "--max-queue-texts": ("10", "0"),
    "--request-timeout": ("0.5", "0"),
    "--header-timeout": ("0.5", "0"),
    "--body-timeout": ("0.5", "0.09"),
    "--write-timeout": ("0.5", "0"),
    "--idle-timeout": ("0.5", "0.0"),
    "--cache-megabytes": ("0", "1e3"),
    "--redis-url": ("redis://127.0.0.1:1/0", None),
    "--redis-ttl": ("3600", "never"),
    "--redis-budget": ("0.005", "0"),
    "--drain-delay": ("0", "-0.1"),
    "--grace-limit": ("1", ""),
    "--log-level": ("WARNING", "loud"),
    "--log-format": ("text", "xml"),
    "--log-requests": (True, "maybe"),
}


def environment(**more):
    """One without any setting of the server but these."""
    own = set(variables().values()) | {"DISTILBERT_CONFIG", "KUBERNETES_SERVICE_HOST"}
    return {k: v for k, v in os.environ.items() if k not in own} | more


def run(*arguments, env=None):
    return subprocess.run([PROGRAM, *map(str, arguments)], env=environment() if env is None else env, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60)


_help = None


def variables():
    """The variable of each flag, as --help has it."""
    global _help
    if _help is None:
        _help = subprocess.run([PROGRAM, "--help"], text=True, capture_output=True, check=True, timeout=60).stdout
    return dict(re.findall(r"^  (--[a-z-]+)(?:(?!\n  --).)*?\(or set ([A-Z_]+)\)", _help, re.M | re.S))


def refused(result, reason):
    """It has ended with 1, and one line on standard error that holds the reason."""
    assert result.returncode == 1, result
    assert len(result.stderr.splitlines()) == 1 and result.stderr.startswith("distilbert-server: "), result.stderr
    assert reason in result.stderr


def given(tmp_path, way, flag, value):
    """Arguments and environment that say it on the command line, in the environment or in a file."""
    if way == "flag":
        return ([flag] if value is True else [f"{flag}={value}"]), environment()
    if way == "variable":
        return [], environment(**{variables()[flag]: "true" if value is True else value})
    file = tmp_path / "settings.toml"
    file.write_text(f"{flag[2:]} = " + ("true" if value is True else f'"{value}"') + "\n")
    return ["--config", file], environment()


def test_every_setting_is_known_here():
    assert set(variables()) == {*SETTINGS, "--config"}


@pytest.mark.parametrize("way", ["flag", "variable", "file"])
@pytest.mark.parametrize("flag", SETTINGS)
def test_values(tmp_path, flag, way):
    good, bad = SETTINGS[flag]
    if bad is not None and not (bad == "" and way != "flag"):
        arguments, env = given(tmp_path, way, flag, bad)
        refused(run(*arguments, env=env), variables()[flag] if way == "variable" else flag)
    arguments, env = given(tmp_path, way, flag, good)
    # A good value is not what it stumbles over: the model is.
    if flag != "--model":
        arguments += ["--model", "/nowhere"]
    if flag not in ("--host", "--port"):
        arguments += ["--host", "127.0.0.1"]
    if flag != "--port":
        arguments += ["--port", "0"]
    result = run(*arguments, "--log-level=off", env=env) if flag != "--log-level" else run(*arguments, env=env)
    refused(result, "/nowhere")


@pytest.mark.parametrize("value", ["-1", "1h", "nan", "inf", "1e9", "0", "0.0999"])
def test_times(value):
    result = run(f"--idle-timeout={value}")
    refused(result, f'"{value}" is not a number of seconds from 0.1 to 86400')


@pytest.mark.parametrize("name", ["/", "org/name", ".", "..", "a\nb"])
def test_names_that_no_path_can_hold(name):
    refused(run("--served-model-name", name), "holds no slash")


@pytest.mark.parametrize("key", ["secret\n", " secret", "secret ", "se\tcret"])
def test_keys_that_no_header_can_hold(key):
    refused(run(env=environment(API_KEY=key)), "API_KEY: a key holds no control character")


def test_a_week_in_redis():
    refused(run("--redis-ttl", "604800", "--model", "/nowhere", "--host", "127.0.0.1", "--port", "0", "--log-level=off"),
            "/nowhere")  # fmt: skip


def test_help_and_version():
    result = run("--help")
    assert result.returncode == 0 and not result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 120
    assert all(flag in result.stdout for flag in SETTINGS)
    result = run("--version")
    assert result.returncode == 0 and re.fullmatch(r"distilbert-server \d+\.\d+\.\d+\n", result.stdout)


def test_the_manual_knows_every_setting():
    manual = (SOURCE / "examples/kubernetes/README.md").read_text()
    rows = dict(re.findall(r"^\| `(--[a-z-]+)[^`]*` \| `([A-Z_]+)` \|", manual, re.M))
    assert rows == {flag: variable for flag, variable in variables().items() if flag != "--config"}


def served_name(*arguments, env=None):
    with ServerProcess(options=arguments, env=env) as server:
        return re.search(r'distilbert_build_info\{.*model="([^"]*)"', server.get("/metrics").body.decode())[1]


def test_flag_over_variable_over_file(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('# of a test\nserved-model-name = "file"\nlog-level = "debug"\n')
    assert served_name("--config", file) == "file"
    assert served_name(env={"DISTILBERT_CONFIG": str(file)}) == "file"
    assert served_name("--config", file, env={"SERVED_MODEL_NAME": "variable"}) == "variable"
    assert served_name("--config", file, env={"SERVED_MODEL_NAME": ""}) == "file"
    assert served_name("--config", file, "--served-model-name", "flag", env={"SERVED_MODEL_NAME": "variable"}) == "flag"


def test_total_body_bytes():
    refused(run("--max-total-body-bytes", "1999999"), "is less than --max-body-bytes")
    with ServerProcess(options=["--max-body-bytes", "100000", "--max-total-body-bytes", "100000"]) as server:
        for words, status in (1000, 200), (10_000, 503):  # whose answer would be half a megabyte
            assert server.post("/tokenize", {"inputs": "good " * words}).status == status


def test_neutral_below():
    for options, category in ([], "positive"), (["--neutral-below", "1"], "neutral"):
        with ServerProcess(options=options) as server:
            assert server.post("/predict", {"payload": "a joy from first to last"}).json["Categories"] == category


def test_bad_files(tmp_path):
    file = tmp_path / "settings.toml"
    refused(run("--config", file), "settings.toml")
    refused(run(env=environment(DISTILBERT_CONFIG=str(file))), "settings.toml")
    file.write_text("prot = 8080\n")
    refused(run("--config", file), f'{file}: unknown setting "prot"')
    file.write_text("PORT = 8080\n")
    refused(run("--config", file), f'{file}: unknown setting "PORT"')
    file.write_text("[section]\nport = 8080\n")
    refused(run("--config", file), f"{file}: there are no sections such as [section]")
    file.write_text("help = true\n")
    refused(run("--config", file), f'{file}: unknown setting "help"')


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--port"], ["extra"], ["--isa", "abacus"],
                                       ["--port", "80", "--port", "81"], ["--precision", "fp32"],
                                       ["--host", "192.0.2.1", "--port", "0"]])
def test_bad_usage(arguments):
    refused(run("--model", SOURCE / "models/sst2", *arguments, "--log-level=off"), "")


def test_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(run("--host", "127.0.0.1", "--port", port), str(port))


def test_a_bad_start_is_quick():
    def seconds():
        start = time.monotonic()
        refused(run("--port", "none"), "--port")
        return time.monotonic() - start

    assert min(seconds() for _ in range(5)) < 1


def test_an_installed_model_is_found(tmp_path):
    """Without --model, the one beside the program; a copy of the program has another than the source tree's."""
    program = tmp_path / "bin/distilbert-server"
    program.parent.mkdir()
    program.write_bytes(PROGRAM.read_bytes())
    program.chmod(0o755)
    model = tmp_path / "share/distilbert/models/sst2"
    model.mkdir(parents=True)
    (model / "vocab.txt").touch()
    result = subprocess.run([program, "--host", "127.0.0.1", "--port", "0", "--log-level=off"], env=environment(),
                            text=True, capture_output=True, timeout=60)
    refused(result, str(model))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
