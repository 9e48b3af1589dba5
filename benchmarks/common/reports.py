"""What the reports of the benchmarks share: figures that read on white and on black, and tables."""

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "distilbert"  # the same results give the same file

GREY = "#7d8590"


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)
