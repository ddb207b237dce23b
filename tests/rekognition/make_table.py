"""Write the table of ``docs/rekognition.md``: ``python -m tests.rekognition.make_table``.

Asks the models directly, without an emulator.
"""

from __future__ import annotations

import re

from tests.rekognition.emulator_process import MODELS, ROOT
from tests.rekognition.sample_pictures import picture
from trigger_stack.rekognition.vision import Vision

PAGE = ROOT / "docs" / "rekognition.md"
BLOCK = re.compile(r"(<!-- table -->\n).*?(<!-- /table -->)", re.DOTALL)
PICTURES = {
    "cat": "A cat (scikit-image `chelsea`)",
    "coffee": "A cup of coffee (scikit-image `coffee`)",
    "motorcycle": "A motorcycle in a workshop (scikit-image `motorcycle_left`)",
    "tripod": "A photographer (scikit-image `camera`)",
    "palace": "A Chinese palace (scikit-learn `china`)",
    "flower": "A flower (scikit-learn `flower`)",
    "page": "A photographed page (scikit-image `page`)",
    "wordmark": "Logo: a mark and ACME on white (drawn)",
    "app-icon": "Logo: a cut-out square with blue (drawn)",
    "mark": "Logo: a mark without a name (drawn)",
}


def row(vision: Vision, name: str, title: str) -> str:
    features = {"Features": ["GENERAL_LABELS", "IMAGE_PROPERTIES"]}
    found = vision.detect_labels(picture(name), features)
    labels = ", ".join(f"{x['Name']} {x['Confidence']:.0f}" for x in found["Labels"][:8])
    colors = ", ".join(
        f"{color['CSSColor']} {color['PixelPercent']:.0f} %"
        for color in found["ImageProperties"]["DominantColors"][:3]
    )
    detections = vision.detect_text(picture(name), {})["TextDetections"]
    lines = [d["DetectedText"] for d in detections if d["Type"] == "LINE"]
    text = (
        lines[0] + (f" (and {len(lines) - 1} more lines)" if lines[1:] else "") if lines else "none"
    )
    return f"| {title} | {labels} | {colors} | {text} |"


def main() -> None:
    """Replace the table between its markers."""
    vision = Vision(MODELS)
    rows = [row(vision, name, title) for name, title in PICTURES.items()]
    table = "\n".join(
        ["| Picture | Labels from 55 % on | Dominant colours | Text |", "|---|---|---|---|", *rows]
    )
    page = PAGE.read_text("utf-8")
    PAGE.write_text(BLOCK.sub(lambda m: f"{m[1]}{table}\n{m[2]}", page), "utf-8")


if __name__ == "__main__":
    main()
