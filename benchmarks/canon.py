"""What `jaxgen figures` has made, kept: numbers, which a test holds to the captions, and six pictures for the README.

`jaxgen figures --quick && python benchmarks/canon.py figures` adds the numbers in that folder to those of
`results/canon.json`, and draws `experiments/gallery/canon.png`.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import PIL.Image

from jaxgen.training.run_folder import write_json

ROOT = Path(__file__).parent.parent
NUMBERS, STRIP = ROOT / "benchmarks" / "results" / "canon.json", ROOT / "experiments" / "gallery" / "canon.png"
SIX = ("xy_game", "parallel_lines", "game_value", "importance_sampling", "gradient_variance", "relaxation")
COLUMNS, WIDTH, GAP = 2, 900, 30  # pixels, of a picture and beside it


def strip(pictures: Sequence[PIL.Image.Image]) -> PIL.Image.Image:
    """Pictures on white in rows of two, as wide as one another."""
    sizes = [(WIDTH, round(WIDTH * picture.height / picture.width)) for picture in pictures]
    scaled = [picture.convert("RGB").resize(size) for picture, size in zip(pictures, sizes, strict=True)]
    rows = [scaled[start : start + COLUMNS] for start in range(0, len(scaled), COLUMNS)]
    heights = [max(picture.height for picture in row) for row in rows]
    size = COLUMNS * WIDTH + (COLUMNS - 1) * GAP, sum(heights) + (len(rows) - 1) * GAP
    canvas, top = PIL.Image.new("RGB", size, "white"), 0
    for row, height in zip(rows, heights, strict=True):
        for column, picture in enumerate(row):
            canvas.paste(picture, (column * (WIDTH + GAP), top))
        top += height + GAP
    return canvas


def newest(folder: Path, experiment: str) -> Path:
    """The picture of the run that ended last."""
    return max(folder.glob(f"runs/{experiment}-*/drawings/*.png"), key=lambda path: path.stat().st_mtime)


def main() -> None:
    """Keeps what is in the folder that the command line names."""
    folder = Path(sys.argv[1])
    made = json.loads((folder / "figures.json").read_text())
    of_runs = {name: figure for name, figure in made.items() if figure["seconds"] is not None}  # tables have files
    write_json(NUMBERS, json.loads(NUMBERS.read_text()) | of_runs)
    strip([PIL.Image.open(newest(folder, experiment)) for experiment in SIX]).quantize().save(STRIP, optimize=True)


if __name__ == "__main__":
    main()
