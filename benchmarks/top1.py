"""Does the built-in model see what it should? `GRADLINE_DATA=… python benchmarks/top1.py` (half a minute).

Top-1 accuracy of EfficientNet-Lite0 with our preprocessing on the pack's 300 ImageNet validation photos.
"""

from __future__ import annotations

from intervals import wilson
from photos import labels, photos

import gradline as gl


def main() -> None:
    truth = labels()
    hits = sum(int(gl.image_case(p).probabilities().argmax()) == truth[p.name] for p in photos(len(truth)))
    low, high = wilson(hits, len(truth))
    print(f"top-1: {hits}/{len(truth)} = {hits / len(truth):.1%} [{low:.1%}, {high:.1%}]")


if __name__ == "__main__":
    main()
