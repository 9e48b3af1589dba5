#!/usr/bin/env python3
"""Measures this library and its peers side by side on the same inputs, and writes the results as JSON (see report.py).

Every engine is a process of its own that answers lines on its standard input:

  input 101,2023,102 101,102   the token ids of the texts to come (for tokenizers, and engines behind one: a file with
                               a text on each line)
  sorted 101,2023,102 101,102  the same; an engine that pads may sort them, and cut them into batches
  answer                       runs once; the reply is the logits (the ids) of all texts
  time SECONDS                 runs at least once, and again until that much time is used; the reply is the time of
                               each run in seconds

It writes "ready" once its model is loaded, and one line for each command. Only one engine may run at a time: the others
are stopped by a signal. For each shape the engines take turns, in several rounds, and the least time of each counts.
Before anything is timed, the fp32 engines must agree on the logits; a tokenizer with other ids is marked as such.
"""

import argparse
import datetime
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time
from importlib import metadata

import tokenizers
import tqdm

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
OURS = "distilbert.cpp"

# (engine, precision); the names are those of engines.py
CLASSIFIERS = [
    (OURS, "fp32"), ("onnxruntime", "fp32"), ("openvino", "fp32"), ("ctranslate2", "fp32"),
    ("pytorch", "fp32"), ("pytorch-compiled", "fp32"),
    (OURS, "bf16"), ("openvino", "bf16"), ("pytorch", "bf16"), ("pytorch-compiled", "bf16"),
    (OURS, "int8"), ("onnxruntime", "int8"), ("openvino", "int8"), ("ctranslate2", "int8"),
]  # fmt: skip
QUICK_TO_START = [contender for contender in CLASSIFIERS if contender[0] != "pytorch-compiled"]  # which takes 20 s
ONE_BY_ONE = [(OURS, "int8-texts"), ("onnxruntime", "int8-texts"), ("openvino", "int8-texts")]
TOKENIZERS = [OURS, "tokenizers", "tokenizers-next", "tokie", "nanotoken", "flash-tokenizer"]
PARTS = ("latency", "start", "texts", "tokenizers")
LENGTHS = (8, 16, 32, 64, 128, 256, 512)
FP32_TOLERANCE = 1e-3  # of logits of size 1
LONG = 1.0  # seconds: what takes longer is run in two rounds only


class EngineFailed(Exception):
    pass


class Engine:
    """A process that speaks the protocol. Stopped whenever it is not being asked."""

    def __init__(self, name, precision, threads, model, cpus, log, once=False):
        self.name, self.precision = name, precision
        mode = "tokenizer" if precision == "ids" else precision
        if name == OURS:
            folder = model / f"distilbert-{'fp32' if precision == 'ids' else precision.removesuffix('-texts')}"
            # The weights lie in private memory, as those of every peer do, unless the process is to answer just once.
            command = [BUILD / "bin" / "distilbert-bench-engine", folder, mode, threads, "map" if once else "copy"]
        else:
            environment = "venv-next" if name == "tokenizers-next" else "venv"
            engine = name.removesuffix("-next")
            command = [BUILD / environment / "bin" / "python", ROOT / "benchmarks" / "peers" / "engines.py"]
            command += [engine, model, mode, threads]
        self.log = log
        self.start = time.perf_counter()
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment_of(threads),
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )
        self.read()
        self.load_seconds = time.perf_counter() - self.start

    def __str__(self):
        return f"{self.name} {self.precision}"

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise EngineFailed(f"{self} ended with status {self.process.wait()}; see {self.log.name}")
        return line

    def ask(self, *command):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(" ".join(map(str, command)) + "\n")
        self.process.stdin.flush()
        return self.read().split()

    def numbers(self, *command):
        return [float(word) for word in self.ask(*command)]

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def peak_memory(self):
        """Bytes of memory that the process has had at most, files that it maps included."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(r"VmHWM:\s*(\d+)", status)[1])

    def close(self):
        self.process.kill()
        self.process.wait()


def environment_of(threads):
    count = str(threads)
    return os.environ | {
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "RAYON_NUM_THREADS": count,
        "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_OFFLINE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(BUILD / "inductor"),  # torch.compile is slow, and only the first time
    }


def shapes(sentences):
    """{name: [ids of a text]}, the same for every engine."""
    choose = random.Random(0)

    def text(tokens):
        return [101] + [choose.randrange(1000, 30000) for _ in range(tokens - 2)] + [102]

    batches = {f"1x{length}": [text(length)] for length in LENGTHS}
    batches["8x32"] = [text(32) for _ in range(8)]
    batches["32x128"] = [text(128) for _ in range(32)]
    batches["64 sentences"] = sentences
    batches["64 sentences, sorted"] = sentences
    return batches


def as_input(shape, texts):
    ids = (",".join(map(str, text)) for text in texts)
    return ["sorted" if shape.endswith("sorted") else "input", *ids]


def operations(config, texts):
    """Multiplications and additions of a classifier. Of the last layer, only what [CLS] needs is counted, with the
    projections of keys and values moved to the query's side: its own row, whatever the number of tokens."""
    dim, hidden, heads = config["dim"], config["hidden_dim"], config["n_heads"]
    row = 8 * dim * dim + 4 * dim * hidden
    layers = config["n_layers"] - 1
    return sum(
        layers * (len(ids) * row + 4 * len(ids) ** 2 * dim) + row + 4 * len(ids) * dim * heads for ids in texts
    )


def weights_of(config):
    return config["n_layers"] * (4 * config["dim"] ** 2 + 2 * config["dim"] * config["hidden_dim"])


def measure_peaks(config, threads):
    sizes = [weights_of(config) * each for each in (4, 2, 1)]
    command = [BUILD / "bin" / "distilbert-bench-peaks", threads, *sizes]
    return json.loads(subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE).stdout)


def bound(config, texts, precision, peaks):
    """Seconds that no implementation on this machine should stay below: all operations at the peak rate of the precision,
    or reading every weight of the encoder once."""
    size = weights_of(config) * {"fp32": 4, "bf16": 2, "int8": 1}[precision]
    return max(operations(config, texts) / peaks[precision], size / peaks["bandwidth"][str(size)])


def start(run, contenders, threads, model):
    """The engines that can be started; the others are named, and left out."""
    engines = []
    for name, precision in contenders:
        run.progress.set_postfix_str(f"starting {name} {precision}")
        try:
            engines.append(Engine(name, precision, threads, model, run.cpus(threads), run.log))
            engines[-1].pause()
        except EngineFailed as failure:
            run.complain(failure)
    return engines


def check(run, engines, label, command):
    """Lets every engine answer once, which also warms it up, and compares the answers. Returns those that can answer,
    with the largest difference of each from the first that is exact."""
    exact, differences = None, {}
    for engine in list(engines):
        try:
            engine.ask(*command)
            answer = engine.numbers("answer")
            engine.pause()
        except EngineFailed as failure:
            run.complain(failure)
            engines.remove(engine)
            continue
        exact = exact or answer
        if len(answer) != len(exact):
            difference = float("inf")
        else:
            difference = max(abs(a - b) for a, b in zip(answer, exact, strict=True))
        differences[engine] = difference
        if engine.precision == "fp32" and not difference <= FP32_TOLERANCE:
            raise SystemExit(f"{label}: the logits of {engine} are off by {difference:g}")
    return differences


def compete(run, engines, shape, command, differences, record):
    """Rounds in which each engine is timed once; record(engine, times) in the end."""
    times = {engine: [] for engine in engines}
    rounds = run.rounds
    done = 0
    while done < rounds:
        for engine in engines:
            run.progress.set_postfix_str(f"{shape}, {engine}")
            engine.ask(*command)
            times[engine] += engine.numbers("time", run.budget)
            engine.pause()
        done += 1
        if max(min(each) for each in times.values()) > LONG:
            rounds = min(rounds, 2)
    for engine in engines:
        record(engine, min(times[engine]), sorted(times[engine])[len(times[engine]) // 2], differences[engine])


class Run:
    """Settings of this run, its progress bar, and what it has found."""

    def __init__(self, args):
        self.args = args
        self.rounds = 1 if args.quick else 4
        self.budget = 0.0 if args.quick else 0.1
        self.all_cpus = sorted(os.sched_getaffinity(0))
        self.log = open(BUILD / "engines.log", "w")
        self.failures = []
        self.results = {"date": datetime.date.today().isoformat(), "cpu": cpu_name(), "quick": args.quick,
                        "versions": versions(), "peaks": {}, "latency": [], "start": [], "texts": [],
                        "tokenizers": []}  # fmt: skip

    def cpus(self, threads):
        return set(self.all_cpus[:threads])

    def complain(self, failure):
        message = str(failure)
        if message not in self.failures:
            self.failures.append(message)
            self.progress.write(f"left out: {message}")

    def wanted(self, contenders):
        only = self.args.only
        return [
            (name, precision)
            for name, precision in contenders
            if not only or name == OURS or any(word in f"{name} {precision}" for word in only)
        ]


def config_of(model):
    return json.loads((model / "huggingface" / "config.json").read_text())


def measure_latency(run, name, threads, batches):
    contenders = CLASSIFIERS if name == "base" else QUICK_TO_START
    model = run.args.models_at / name
    config = config_of(model)
    peaks = run.results["peaks"][f"{name}, {threads} threads"] = measure_peaks(config, threads)
    engines = start(run, run.wanted(contenders), threads, model)
    try:
        for shape, texts in batches.items():
            label = f"{name}, {threads} threads, {shape}"
            differences = check(run, engines, label, as_input(shape, texts))

            def record(engine, least, median, difference):
                run.results["latency"].append(
                    {"model": name, "threads": threads, "shape": shape, "engine": engine.name,
                     "precision": engine.precision, "seconds": least, "median": median,
                     "bound": bound(config, texts, engine.precision, peaks), "difference": difference}
                )  # fmt: skip

            compete(run, engines, shape, as_input(shape, texts), differences, record)
            run.progress.update()
    finally:
        for engine in engines:
            engine.close()


def measure_start(run, name, batches):
    """From the start of a process to its first answer, to one text of 16 tokens, with the files in the page cache; and
    the memory it has used once it has also answered one of 128."""
    model = run.args.models_at / name
    contenders = run.wanted(QUICK_TO_START)
    found = {}
    for _ in range(1 if run.args.quick else 3):
        for contender in contenders:
            run.progress.set_postfix_str(f"start of {' '.join(contender)}")
            try:
                engine = Engine(*contender, 1, model, run.cpus(1), run.log, once=True)
                engine.ask(*as_input("1x16", batches["1x16"]))
                engine.ask("answer")
                seconds = time.perf_counter() - engine.start
                engine.ask(*as_input("1x128", batches["1x128"]))
                engine.ask("answer")
                memory = engine.peak_memory()
                engine.close()
            except EngineFailed as failure:
                run.complain(failure)
                continue
            best = found.setdefault(contender, [seconds, memory])
            found[contender] = [min(best[0], seconds), min(best[1], memory)]
        run.progress.update()
    for (engine, precision), (seconds, memory) in found.items():
        run.results["start"].append(
            {"model": name, "engine": engine, "precision": precision, "seconds": seconds, "bytes": memory}
        )


def measure_file(run, part, contenders, model, sentences, more):
    """Engines that take the sentences themselves; more(engine, file, difference) are the fields of a result that the
    parts do not share."""
    file = BUILD / "sentences.txt"
    file.write_text("".join(text + "\n" for text in sentences), encoding="utf-8")
    engines = start(run, run.wanted(contenders), 1, run.args.models_at / model)
    try:
        differences = check(run, engines, part, ["input", file])

        def record(engine, least, median, difference):
            run.results[part].append(
                {"engine": engine.name, "seconds": least, "median": median, "texts": len(sentences)}
                | more(engine, file, difference)
            )

        compete(run, engines, part, ["input", file], differences, record)
        run.progress.update()
    finally:
        for engine in engines:
            engine.close()


def measure_texts(run, sentences):
    """Sentences through the shipped model, tokenising included, a call for each."""

    def more(engine, file, difference):
        return {"precision": engine.precision.removesuffix("-texts"), "difference": difference}

    measure_file(run, "texts", ONE_BY_ONE, "sst2", sentences, more)


def measure_tokenizers(run, sentences):
    def more(engine, file, difference):
        engine.ask("input", file)
        tokens = len(engine.ask("answer"))
        return {"bytes": file.stat().st_size, "tokens": tokens, "same_ids": difference == 0}

    measure_file(run, "tokenizers", [(name, "ids") for name in TOKENIZERS], "base", sentences, more)


def cpu_name():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    found = re.search(r"model name\s*:\s*(.*)", info)
    return f"{found[1] if found else 'unknown CPU'}, {len(os.sched_getaffinity(0))} CPUs"


def versions():
    packages = ["onnxruntime", "openvino", "nncf", "ctranslate2", "torch", "transformers", "tokenizers", "tokie",
                "nanotoken", "flash-tokenizer"]  # fmt: skip
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            pass
    next_line = (ROOT / "benchmarks" / "peers" / "requirements-next.txt").read_text().strip().split("\n")[-1]
    found["tokenizers-next"] = next_line.partition("==")[2]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="every run once, to see whether all works")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only peers whose name or precision has such a word")
    parser.add_argument("--models", nargs="+", choices=("base", "sst2"), default=["base", "sst2"], metavar="NAME")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], metavar="N")
    parser.add_argument("--shapes", nargs="+", metavar="SHAPE", help='such as 1x16 or "64 sentences"; default: all')
    parser.add_argument("--parts", nargs="+", choices=PARTS, metavar="PART", default=PARTS, help=", ".join(PARTS))  # fmt: skip
    parser.add_argument("--models-at", type=pathlib.Path, default=BUILD / "models", metavar="DIR")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "build" / "sst", metavar="DIR")
    parser.add_argument("--to", type=pathlib.Path, default=BUILD / "results.json", metavar="FILE")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT / "weights_converter" / "train"))
    import sst

    def sentences_of(part):
        return [sst.as_written(text) for text, _ in sst.read(sst.fetch(args.data), part, phrases=False)]

    sentences = sentences_of("dev")
    encode = tokenizers.Tokenizer.from_file(str(args.models_at / args.models[0] / "huggingface" / "tokenizer.json"))
    batches = shapes([encode.encode(text).ids for text in sentences[:64]])
    asked = {shape: texts for shape, texts in batches.items() if not args.shapes or shape in args.shapes}
    threads = [count for count in args.threads if count <= len(os.sched_getaffinity(0))]

    run = Run(args)
    starts = 1 if args.quick else 3
    each = len(threads) * len(asked) * ("latency" in args.parts) + starts * ("start" in args.parts)
    total = len(args.models) * each
    run.progress = tqdm.tqdm(total=total + ("texts" in args.parts) + ("tokenizers" in args.parts), smoothing=0)
    if "tokenizers" in args.parts:
        measure_tokenizers(run, sentences)
    if "texts" in args.parts and "sst2" in args.models:
        measure_texts(run, sentences_of("test"))
    for name in args.models:
        if "start" in args.parts:
            measure_start(run, name, batches)
        if "latency" in args.parts:
            for count in threads:
                measure_latency(run, name, count, asked)
    run.progress.close()
    run.results["left_out"] = run.failures
    args.to.write_text(json.dumps(run.results, indent=1) + "\n")
    print(f"results in {args.to}")


if __name__ == "__main__":
    main()
