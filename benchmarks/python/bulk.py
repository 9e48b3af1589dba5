#!/usr/bin/env python3
"""Bulk scoring from Python, side by side with ONNX Runtime int8 behind Hugging Face's tokenizers: bulk.py [options]

Runs in an environment that has the wheel of this repository and what benchmarks/peers/requirements.txt lists, after
`make bench` has made the models and the C++ engine:

  build/bench/venv/bin/python -m pip install ".[arrow]"
  build/bench/venv/bin/python benchmarks/python/bulk.py --sst build/sst

Both classify the same texts on the same CPUs, in turns; the least time of each counts. The peer knows all texts
beforehand: it tokenizes them in one call, sorts them by length, and takes the size of batch that suits it best.
"""

import argparse
import itertools
import os
import pathlib
import re
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
sys.path += [str(ROOT / "benchmarks" / "peers"), str(ROOT / "weights_converter" / "train")]

BATCH_SIZES = (8, 16, 32, 64)
AGREEMENT = 0.97  # of the labels: the peer rounds activations in its own way
SHORT = "A joy from first to last."


def sentences(sst_folder):
    if sst_folder is None:
        return (ROOT / "examples" / "classify" / "sentences.txt").read_text(encoding="utf-8").splitlines()
    import sst

    folder = sst.fetch(sst_folder)
    return [sst.as_written(text) for part in ("train", "dev") for text, _ in sst.read(folder, part, phrases=False)]


class Peer:
    def __init__(self, model, threads, sample):
        import engines
        import tokenizers

        self.tokenizer = tokenizers.Tokenizer.from_file(str(model / "huggingface" / "tokenizer.json"))
        self.engine = engines.OnnxRuntime(model, "int8", threads)
        times = {}
        for self.batch_size in BATCH_SIZES * 2:
            seconds = timed(lambda: self.labels(sample))[0]
            times[self.batch_size] = min(seconds, times.get(self.batch_size, seconds))
        self.batch_size = min(times, key=times.get)

    def labels(self, texts):
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts)]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        labels = [0] * len(ids)
        for first in range(0, len(order), self.batch_size):
            chunk = order[first : first + self.batch_size]
            logits = self.engine.forward(self.engine.prepare([ids[i] for i in chunk]))
            for i, label in zip(chunk, logits.argmax(1)):
                labels[i] = label
        return labels


def resident():
    """MiB of this process."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) / 1024


def timed(action):
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def measure_memory(classifier, texts):
    """MiB after a tenth of the texts, which come from a generator, and after all."""
    early = None
    for i, _ in enumerate(classifier.map(str(text) for text in texts)):
        if i == len(texts) // 10:
            early = resident()
    return early, resident()


def ways(classifier, texts):
    """{how they are classified: a function that does it and returns the labels}"""
    import arro3.core

    numbers = {label: number for number, label in enumerate(classifier.labels)}
    found = {
        "logits(list)": lambda: classifier.logits(texts).argmax(1).tolist(),
        "classifier(list)": lambda: [numbers[answer.label] for answer in classifier(texts)],
        "map(iterable)": lambda: [numbers[answer.label] for answer in classifier.map(iter(texts))],
    }
    array = arro3.core.Array(texts, arro3.core.DataType.string())
    found["map_arrow(array)"] = lambda: [
        numbers[label] for batch in classifier.map_arrow(array) for label in batch["label"].to_pylist()
    ]
    return found


def measure_overhead(model, folder, seconds):
    """Seconds of one short text, the least of many: (in C++, {how in Python: seconds})."""
    import run

    import distilbert

    file = BUILD / "short.txt"
    file.write_text(SHORT + "\n", encoding="utf-8")
    with open(BUILD / "bulk.log", "w") as log:
        engine = run.Engine(run.OURS, "int8-texts", 1, model, set(os.sched_getaffinity(0)), log)
        engine.ask("input", file)
        engine.pause()
        classifier = distilbert.TextClassifier.from_pretrained(folder, "int8", threads=1, memory="copy")
        calls = {"logits(text)": classifier.logits, "classifier(text)": classifier}
        native, best = float("inf"), dict.fromkeys(calls, float("inf"))
        for _ in range(4):
            native = min(native, *engine.numbers("time", seconds))
            engine.pause()
            for name, call in calls.items():
                end = time.perf_counter() + seconds
                while time.perf_counter() < end:
                    best[name] = min(best[name], timed(lambda: call(SHORT))[0])
        engine.close()
    return native, best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, metavar="N", help="texts; sentences are repeated")
    parser.add_argument("--sst", type=pathlib.Path, metavar="DIR",
                        help="the Stanford Sentiment Treebank, downloaded if it is not there; without this option, the "
                             "few sentences of examples/classify")  # fmt: skip
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--model", type=pathlib.Path, default=BUILD / "models" / "sst2", metavar="DIR",
                        help="what make_models.py wrote")  # fmt: skip
    args = parser.parse_args()

    cpus = sorted(os.sched_getaffinity(0))[: args.threads]
    os.sched_setaffinity(0, cpus)
    os.environ.update(RAYON_NUM_THREADS=str(args.threads), TOKENIZERS_PARALLELISM="true")
    import distilbert

    texts = list(itertools.islice(itertools.cycle(sentences(args.sst)), args.rows))
    folder = args.model / "distilbert-int8"
    classifier = distilbert.TextClassifier.from_pretrained(folder, "int8", threads=args.threads, memory="copy")
    early, late = measure_memory(classifier, texts)

    peer = Peer(args.model, args.threads, texts[:1000])
    peer_name = f"onnxruntime int8, tokenizers, sorted, batches of {peer.batch_size}"
    contenders = {peer_name: lambda: peer.labels(texts), **ways(classifier, texts)}
    times = {name: [] for name in contenders}
    expected = None
    for _ in range(args.rounds):
        for name, labels in contenders.items():
            seconds, answer = timed(labels)
            times[name].append(seconds)
            expected = expected or answer
            agreement = sum(a == b for a, b in zip(answer, expected, strict=True)) / len(expected)
            if agreement < AGREEMENT:
                raise SystemExit(f"{name}: {agreement:.1%} of the labels are those of {peer_name}")

    print(f"{args.rows} texts, {args.threads} threads, {distilbert.isa()}\n")
    print("| | rows/s | times the peer |\n| --- | ---: | ---: |")
    for name, seconds in times.items():
        print(f"| {name} | {args.rows / min(seconds):.0f} | {min(times[peer_name]) / min(seconds):.2f} |")
    print(f"\nmap() of a generator: {early:.1f} MiB after a tenth of the texts, {late:.1f} MiB after all\n")
    native, calls = measure_overhead(args.model, folder, 0.5)
    print(f"one short text: C++ {native * 1e6:.1f} us", end="")
    print("".join(f", {name} +{(seconds - native) * 1e6:.1f} us" for name, seconds in calls.items()))


if __name__ == "__main__":
    main()
