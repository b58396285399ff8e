"""Do the built-in models see what they should? `GRADLINE_DATA=… python benchmarks/top1.py` (half a minute).

Top-1 accuracy of EfficientNet-Lite 0, 1 and 2 with our preprocessing on the pack's 300 ImageNet validation photos. It
checks the preprocessing and does not rank the networks: 300 photos do not tell them apart, and the pack's photos have a
shorter side of 256 pixels, which fits Lite0 and is scaled up for Lite1 (272) and Lite2 (292).
"""

from __future__ import annotations

from intervals import wilson
from photos import labels, photos
from PIL import Image

import gradline as gl


def main() -> None:
    truth = labels()
    files = photos(len(truth))
    shorter = min(min(Image.open(path).size) for path in files)
    for name in (name for name in gl.models.names() if name.startswith("efficientnet")):
        model = gl.models.image_model(name)
        hits = sum(int(gl.image_case(p, model).probabilities().argmax()) == truth[p.name] for p in files)
        low, high = wilson(hits, len(truth))
        scaled = f"photos scaled by {model.preprocessing.resize / shorter:.2f}"
        print(f"{name}: top-1 {hits}/{len(truth)} = {hits / len(truth):.1%} [{low:.1%}, {high:.1%}], {scaled}")


if __name__ == "__main__":
    main()
