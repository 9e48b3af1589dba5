"""The notebook of examples/notebook, from its first cell to its last: no cell fails, and each that draws has a picture
that is there when the notebook is read without being run."""

import pathlib

import nbclient
import nbformat

NOTEBOOK = pathlib.Path(__file__).resolve().parents[2] / "examples/notebook/distilbert.ipynb"


def pictures(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [sum("image/png" in output.get("data", {}) for output in cell.outputs) for cell in cells]


def main():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    committed = pictures(notebook)
    resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
    nbclient.NotebookClient(notebook, timeout=120, resources=resources).execute()  # throws what a cell throws
    drawn = pictures(notebook)
    assert sum(drawn) == 4, drawn
    assert committed == drawn, (committed, drawn)
    tokens = next(cell for cell in notebook.cells if "encode(text)" in cell.source)
    assert "##ffa      'ffa'" in tokens.outputs[0].text
    print(f"{len(notebook.cells)} cells, {sum(drawn)} pictures")


if __name__ == "__main__":
    main()
