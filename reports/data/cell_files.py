"""Files that a cell saves beside its rows, to be looked at."""

from pathlib import Path

from bench.results.snapshot import ReportCell

# Pictures that cells save: name -> (what it is, how it was chosen and how to read it).
PICTURES = {
    "gallery": (
        "Predicted skeletons",
        "The same people for every network of the dataset, evenly spaced over the split.",
    ),
    "extremes": (
        "Best, median and worst predictions",
        "A row each of the best, the median and the worst people by the mean distance of the joints from their "
        "annotation, in heights of the crop; the annotation is white.",
    ),
    "attention": (
        "Attention maps",
        "What the network attends to, a map a row; from dark to bright as the value goes from the lowest to the "
        "highest of the row, which stand beside it.",
    ),
}


def picture(cell: ReportCell, name: str = "gallery") -> Path | None:
    """Path of a picture of a cell, one of PICTURES; None if the cell saved none."""
    return saved(cell, f"{name}.webp")


def curve(cell: ReportCell) -> str | None:
    """Content of the curve of a cell, CSV with part, threshold and value; None if it has none."""
    path = saved(cell, "curve.csv")
    return path.read_text() if path else cell.curve or None


def history(cell: ReportCell) -> str | None:
    """Content of the training history of a cell, CSV; None if it has none."""
    path = saved(cell, "history.csv")
    return path.read_text() if path else None


def saved(cell: ReportCell, name: str) -> Path | None:
    """Path of a file that a cell saved beside its rows; None if it saved none."""
    path = Path(cell.folder) / name
    return path if cell.folder and path.is_file() else None
