#!/usr/bin/env python3
"""Makes a page and a figure of what run.py found: report.py LOAD.json TO-FOLDER (load.md, load.json, load.svg)"""

import json
import pathlib
import shutil
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "common"))
from reports import GREY, table  # noqa: E402, I001 -- before pyplot
from matplotlib import pyplot  # noqa: E402

NAMES = {"distilbert": "distilbert-server", "fastapi": "FastAPI, transformers", "library": "the library alone"}
COLOURS = {"distilbert": "#e4572e", "fastapi": "#9b5de5", "library": GREY}
WORKS = {"bare": "one text after the other on each CPU, no server", "uncached": "every text computed",
         "cached": "95 in 100 requests of the same hundred texts", "cached-few": "the same, 4 connections",
         "health": "GET /health",
         "k6": "the same 95 in 100, ten users of k6"}  # fmt: skip

FIGURE = {"bare": "all computed", "uncached": "all computed", "cached": "95 % cached"}


def figure(results, path):
    bars = [key for key in results if key.split()[0] in FIGURE]
    pyplot.rcParams.update({"text.color": GREY, "axes.labelcolor": GREY, "xtick.color": GREY, "ytick.color": GREY})
    shape, axes = pyplot.subplots(figsize=(8, 0.45 * len(bars) + 1))
    for place, key in enumerate(bars):
        work, engine = key.split()
        rate = results[key]["per_second"]
        axes.barh(place, rate, color=COLOURS[engine])
        axes.text(rate * 1.05, place, f"{rate:,.0f}", va="center")
    axes.set_yticks(range(len(bars)), [f"{NAMES[engine]}, {FIGURE[work]}" for work, engine in map(str.split, bars)])
    axes.set_xscale("log")
    axes.set_xlabel("answers a second")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.margins(x=0.15)
    shape.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None})


def main():
    source, folder = map(pathlib.Path, sys.argv[1:])
    found = json.loads(source.read_text())
    results = found["results"]
    rows = []
    for key, row in results.items():
        work, engine = key.split()
        number = lambda name, form: format(row[name], form) if name in row else ""  # noqa: E731
        rows.append([WORKS[work], NAMES[engine], number("per_second", ",.0f"), number("p50_ms", ".2f"),
                     number("p99_ms", ".2f"), number("failed", ""), number("cpu_us", ",.0f"),
                     number("peak_memory_mb", ".0f")])  # fmt: skip

    def ratio(a, b):
        return results[a]["per_second"] / results[b]["per_second"] if a in results and b in results else None

    sentences = []
    if share := ratio("uncached distilbert", "bare library"):
        sentences.append(f"Uncached the server reaches {100 * share:.0f} % of the library's rate, the client's work "
                         "on the same CPUs included.")  # fmt: skip
    if times := ratio("uncached distilbert", "uncached fastapi"):
        sentences.append(f"That is {times:.1f} times what FastAPI around transformers reaches with the same weights in "
                         f"fp32; the server's are int8.")
    if bare := results.get("bare library"):
        sentences.append("Where 5 in 100 requests are computed, the library's rate alone allows "
                         f"{20 * bare['per_second']:,.0f} requests a second.")  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "load.md").write_text(
        "# The server under load\n\n"
        f"{found['cpu']}, {found['cpus']} CPUs ({found['isa']}), {found['date']}. Written by `make load-test`; "
        "[benchmarks/load](../load/README.md) says how it measures.\n\n"
        + table(["work", "by", "answers/s", "median ms", "p99 ms", "failed", "CPU us/answer", "peak MB"], rows)
        + "\n" + "\n".join(sentences) + "\n\n![answers a second](load.svg)\n"
    )  # fmt: skip
    figure(results, folder / "load.svg")
    if source.resolve() != (folder / "load.json").resolve():
        shutil.copy(source, folder / "load.json")


if __name__ == "__main__":
    main()
