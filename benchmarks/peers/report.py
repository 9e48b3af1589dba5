#!/usr/bin/env python3
"""Makes tables and figures of what run.py measured: report.py RESULTS.json TO-FOLDER

Writes README.md, results.json and a figure for each model and number of threads, readable on white and on black.
"""

import json
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "common"))
from reports import GREY, table  # noqa: E402, I001 -- before pyplot
from matplotlib import pyplot  # noqa: E402
from matplotlib.ticker import FuncFormatter, NullLocator  # noqa: E402

OURS = "distilbert.cpp"
NAMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "ctranslate2": "CTranslate2", "pytorch": "PyTorch",
         "pytorch-compiled": "PyTorch, compiled", "tokenizers": "HF tokenizers", "tokenizers-next": "HF tokenizers",
         "tokie": "tokie", "nanotoken": "nanotoken", "flash-tokenizer": "flash-tokenizer"}  # fmt: skip
COLOURS = {OURS: "#e4572e", "onnxruntime": "#2a9d8f", "openvino": "#4c78d0", "ctranslate2": "#b8860b",
           "pytorch": "#9b5de5", "pytorch-compiled": "#c06fb0"}  # fmt: skip
MODELS = {
    "base": "DistilBERT-base size, random weights",
    "sst2": "models/sst2, 6 layers of 384",
}
PRECISIONS = ("fp32", "bf16", "int8")


def name_of(engine):
    return NAMES.get(engine, engine)


def milliseconds(seconds):
    value = 1000 * seconds
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def unique(values):
    return list(dict.fromkeys(values))


def latency_table(results, model, threads):
    rows = [row for row in results["latency"] if row["model"] == model and row["threads"] == threads]
    by_key = {(row["engine"], row["precision"], row["shape"]): row for row in rows}
    shapes = unique(row["shape"] for row in rows)
    lines = []
    for precision in PRECISIONS:
        engines = unique(row["engine"] for row in rows if row["precision"] == precision)
        for engine in engines:
            cells = []
            for shape in shapes:
                row = by_key.get((engine, precision, shape))
                least = min(
                    by_key[other, precision, shape]["seconds"]
                    for other in engines
                    if (other, precision, shape) in by_key
                )
                if row is None:
                    cells.append("")
                    continue
                text = milliseconds(row["seconds"])
                text = f"**{text}**" if row["seconds"] == least else text
                cells.append(f"{text} ({100 * row['bound'] / row['seconds']:.0f} %)")
            lines.append([f"{name_of(engine)} {precision}", *cells])
        if engines:
            bounds = [milliseconds(by_key[engines[0], precision, shape]["bound"]) for shape in shapes]
            lines.append([f"*bound {precision}*", *(f"*{bound}*" for bound in bounds)])
    return table(["engine", *shapes], lines) if lines else ""


def start_table(results, model):
    rows = [row for row in results["start"] if row["model"] == model]
    lines = [
        [f"{name_of(row['engine'])} {row['precision']}", milliseconds(row["seconds"]), f"{row['bytes'] / 2**20:.0f}"]
        for row in rows
    ]
    return table(["engine", "first answer, ms", "peak memory, MiB"], lines) if lines else ""


def texts_table(results):
    rows = sorted(results.get("texts", []), key=lambda row: row["seconds"])
    lines = [
        [f"{name_of(row['engine'])} {row['precision']}", f"{row['texts'] / row['seconds']:.0f}",
         milliseconds(row["seconds"] / row["texts"])]
        for row in rows
    ]  # fmt: skip
    return table(["engine", "texts a second", "ms a text"], lines) if lines else ""


def tokenizer_table(results):
    rows = sorted(results["tokenizers"], key=lambda row: row["seconds"])
    versions = results["versions"]
    lines = []
    for row in rows:
        million = row["tokens"] / row["seconds"] / 1e6
        lines.append([
            f"{name_of(row['engine'])} {versions.get(row['engine'], '')}".strip(),
            f"{1e6 * row['seconds'] / row['texts']:.2f}",
            f"{million:.2f}",
            f"{row['bytes'] / row['seconds'] / 1e6:.1f}",
            "yes" if row["same_ids"] else "no",
        ])  # fmt: skip
    return table(["tokenizer", "us a text", "M tokens/s", "MB/s", "same ids as ours"], lines) if lines else ""


def style(axes):
    axes.patch.set_alpha(0)
    axes.tick_params(colors=GREY, which="both", labelsize=9)
    for spine in axes.spines.values():
        spine.set_color(GREY)
        spine.set_alpha(0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color=GREY, alpha=0.2, linewidth=0.6)
    axes.set_axisbelow(True)


def figure(results, model, threads, file):
    """Latency at batch 1 by the number of tokens, and below it the share of the bound; one column a precision."""
    rows = [row for row in results["latency"] if row["model"] == model and row["threads"] == threads]
    rows = [row | {"length": int(row["shape"][2:])} for row in rows if row["shape"].startswith("1x")]
    lengths = sorted({row["length"] for row in rows})
    if not rows:
        return False
    picture, all_axes = pyplot.subplots(2, 3, figsize=(11, 6.6), sharex=True, sharey="row", layout="constrained")
    picture.patch.set_alpha(0)
    for column, precision in enumerate(PRECISIONS):
        above, below = all_axes[:, column]
        style(above)
        style(below)
        of_precision = [row for row in rows if row["precision"] == precision]
        for engine in unique(row["engine"] for row in of_precision):
            mine = sorted((row for row in of_precision if row["engine"] == engine), key=lambda row: row["length"])
            ours = engine == OURS
            look = {"color": COLOURS[engine], "label": name_of(engine), "linewidth": 2.4 if ours else 1.3,
                    "marker": "o", "markersize": 4.5 if ours else 3, "zorder": 3 if ours else 2}  # fmt: skip
            x = [row["length"] for row in mine]
            above.plot(x, [1000 * row["seconds"] for row in mine], **look)
            below.plot(x, [100 * row["bound"] / row["seconds"] for row in mine], **look)
        bound = sorted({row["length"]: row["bound"] for row in of_precision}.items())
        above.plot([x for x, _ in bound], [1000 * y for _, y in bound], color=GREY, linestyle=":", label="bound")
        above.set_title(precision, color=GREY, fontsize=12, fontweight="bold")
        above.set_xscale("log", base=2)
        above.set_yscale("log")
        above.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        below.set_ylim(0, 100)
        below.set_xlabel("tokens", color=GREY)
        below.set_xticks(lengths, [str(length) for length in lengths])
        below.xaxis.set_minor_locator(NullLocator())
    all_axes[0, 0].set_ylabel("milliseconds", color=GREY)
    all_axes[1, 0].set_ylabel("% of the bound", color=GREY)
    entries = {}
    for axes in all_axes[0]:
        entries.update({label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)})
    picture.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=len(entries), frameon=False,
                   labelcolor=GREY, fontsize=9)  # fmt: skip
    count = "1 thread" if threads == 1 else f"{threads} threads"
    title = f"{MODELS[model]}: one text, {count}\n{results['cpu']}, {results['date']}"
    picture.suptitle(title, color=GREY, fontsize=11)
    picture.savefig(file, transparent=True, metadata={"Date": None})
    pyplot.close(picture)
    return True


INTRODUCTION = """# The peers, side by side

{cpu}, {date}{quick}. Written by `make bench`.

Each figure is the least of several rounds in which the engines took turns. Milliseconds; in brackets the share of the
bound, which is the time that all operations take at the rate that the multiply-add instructions of that precision reach
here, or that reading every weight once takes, whichever is longer. Operations count the last layer for [CLS] only, all
that a classifier needs. The weights of all engines lie in private memory; a process that answers once maps them.
64 sentences go to each peer as one padded batch, or, sorted by length, in padded batches of 16; here they are the same.

{peaks}

Peers: {versions}.
"""


def report(results):
    peaks = []
    for label, found in results["peaks"].items():
        rates = ", ".join(f"{precision} {found[precision] / 1e9:.0f}" for precision in PRECISIONS)
        reads = ", ".join(
            f"{value / 1e9:.0f} GB/s at {int(size) / 1e6:.0f} MB" for size, value in found["bandwidth"].items()
        )
        label = label.replace(" 1 threads", " 1 thread")
        peaks.append(f"- {label}: {rates} billion operations a second; reads {reads}")
    text = INTRODUCTION.format(
        cpu=results["cpu"],
        date=results["date"],
        quick=", a quick run whose figures mean nothing" if results["quick"] else "",
        peaks="\n".join(peaks),
        versions=", ".join(f"{name} {version}" for name, version in results["versions"].items()),
    )
    for model in MODELS:
        for threads in sorted({row["threads"] for row in results["latency"] if row["model"] == model}):
            count = "1 thread" if threads == 1 else f"{threads} threads"
            text += f"\n## {MODELS[model]}, {count}\n\n{latency_table(results, model, threads)}"
    for model in MODELS:
        found = start_table(results, model)
        if found:
            text += f"\n## Start of a process, {MODELS[model]}\n\nTo its first answer, to 16 tokens, files in the page"
            text += f" cache, 1 thread; memory after 128 tokens.\n\n{found}"
    found = texts_table(results)
    if found:
        texts = results["texts"][0]["texts"]
        text += f"\n## Text in, answer out, {MODELS['sst2']}\n\n{texts} sentences of film reviews, a call for each, 1 thread;"
        text += f" the peers with HF tokenizers.\n\n{found}"
    found = tokenizer_table(results)
    if found:
        texts = results["tokenizers"][0]["texts"]
        text += f"\n## Tokenizers\n\n{texts} sentences of film reviews, in one call where there is one for it, 1 CPU."
        text += f"\n\n{found}"
    if results["left_out"]:
        text += "\n## Left out\n\n" + "".join(f"- {failure}\n" for failure in results["left_out"])
    return text


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    results = json.loads(pathlib.Path(sys.argv[1]).read_text())
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    text = report(results)
    drawn = {(row["model"], row["threads"]) for row in results["latency"]}
    for model, threads in sorted(drawn):
        name = f"{model}-{threads}.svg"
        if figure(results, model, threads, folder / name):
            count = "1 thread" if threads == 1 else f"{threads} threads"
            heading = f"## {MODELS[model]}, {count}\n"
            text = text.replace(heading, f"{heading}\n![latency and share of the bound by tokens]({name})\n")
    (folder / "README.md").write_text(text)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(folder / "README.md")


if __name__ == "__main__":
    main()
