"""Deletion and insertion of five maps against the fastest peers: `python benchmarks/metrics_speed.py`.

Peers are not installed with gradline, and one of them is GPL: make an environment beside it,
`pip install --no-deps quantus==0.6.0 attribench==0.1.9 cachetools h5py pandas opencv-python-headless scikit-learn
seaborn statsmodels krippendorff`.
All remove what a map found important, in equal steps, from the same pictures, fill with the same zeros and read the
same probability; their numbers are compared before they are timed. In turns, `--repeats` times, medians. A step that
removes only what is zero already shows the same image again, as many do on digits: gradline evaluates it once, peers
each time; `rows` counts both.

Each peer is called as its users call it. Quantus: an instance of `PixelFlipping`, which has no insertion; that is the
flipping of an image in the opposite order, read from the other end. AttriBench: `deletion` and `insertion` of all maps
as one dataset; they always start four processes to load it, which take longer than the work on small pictures, and are
timed without them too, by a loader in the same process. Beside them what nobody calls by itself, the function that
AttriBench runs for each batch, map by map.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from photos import photos
from torch import Tensor, nn
from torch.utils.data import DataLoader

import gradline as gl
from gradline.engine.inquiry import inquire
from gradline.evaluation import judge, run

OUT = Path(__file__).with_suffix(".json")
Areas = dict[str, tuple[Tensor, Tensor]]
"""For each map: areas under deletion and insertion, `(N,)` each."""
ROWS: dict[str, int] = {}
"""Rows that the last run of gradline evaluated."""


@dataclass(frozen=True)
class Case:
    """`x (N, C, H, W)`, `maps` by name `(N, 1, H, W)`, `steps` of each curve, `batch`: rows for peers that are told."""

    name: str
    model: nn.Module
    x: Tensor
    labels: Tensor
    maps: Mapping[str, Tensor]
    steps: int
    batch: int


def ours(case: Case) -> Areas:
    """One run of both metrics for all maps: what `gl.leaderboard` does for a group."""
    settings = {"fill": gl.baselines.Zero(), "steps": gl.metrics.Steps(case.steps), "sign": gl.metrics.Sign.SIGNED}
    metrics = [gl.metrics.Deletion(**settings), gl.metrics.Insertion(**settings)]
    with inquire(gl.Score(case.model, case.labels), case.x) as inquiry:
        memo: dict[object, object] = {}
        subjects = [
            judge.make_subject(inquiry, case.x, maps, number=k, memo=memo) for k, maps in enumerate(case.maps.values())
        ]
        found = run.run([(metric, subject) for subject in subjects for metric in metrics], inquiry)
        ROWS["gradline"] = int(inquiry.forwards.sum())
    values = [evaluation.values for evaluation in found]
    return {name: (values[2 * k], values[2 * k + 1]) for k, name in enumerate(case.maps)}


def attribench(case: Case) -> Areas:
    """The public functions, all maps as one dataset."""
    from attribench.data import AttributionsDataset
    from attribench.functional.metrics import deletion, insertion
    from attribench.masking.image import ConstantImageMasker

    data = AttributionsDataset(case.x, case.labels, attributions=dict(case.maps))
    settings = {"maskers": {"zero": ConstantImageMasker("pixel", 0.0)}, "activation_fns": "softmax"}
    found = [
        function(case.model, data, case.batch, **settings, num_steps=case.steps + 1).tree
        for function in (deletion, insertion)
    ]
    curves = [
        {k: torch.tensor(t.get(masker="zero", activation_fn="softmax", method=k)) for k in case.maps} for t in found
    ]
    return {k: (area(curves[0][k]), area(curves[1][k])) for k in case.maps}


def attribench_in_process(case: Case) -> Areas:
    """The public functions with a loader that starts no processes, which they have no argument for."""
    from attribench.functional.metrics import _insertion
    from attribench.functional.metrics.deletion import _deletion

    def loader(data: object, batch_size: int, **_: object) -> DataLoader[object]:
        return DataLoader(data, batch_size=batch_size)  # type: ignore[arg-type]

    with patch.object(_deletion, "DataLoader", loader), patch.object(_insertion, "DataLoader", loader):
        return attribench(case)


def attribench_batch(case: Case) -> Areas:
    """The function that the public ones run for a batch, map by map."""
    from attribench.functional.metrics.deletion._deletion import _deletion_batch
    from attribench.masking.image import ConstantImageMasker

    found = {}
    for name, maps in case.maps.items():
        curves = []
        for mode in ("morf", "lerf"):
            masker = {"zero": ConstantImageMasker("pixel", 0.0)}
            told = _deletion_batch(
                case.x, case.labels, case.model, maps, masker, ["softmax"], mode, 0.0, 1.0, case.steps + 1
            )
            curves.append(told["zero"]["softmax"].double())
        found[name] = (area(curves[0]), area(curves[1].flip(1)))
    return found


def quantus(case: Case) -> Areas:
    import quantus as peer

    features = case.x[0].numel() // case.steps
    x, labels = case.x.numpy(), case.labels.numpy()
    flip = peer.PixelFlipping(
        features_in_step=features,
        perturb_baseline=0.0,
        normalise=False,
        abs=False,
        disable_warnings=True,
        display_progressbar=False,
    )
    with torch.no_grad():
        full = torch.softmax(case.model(case.x), 1)[torch.arange(len(labels)), case.labels].double()
    found = {}
    for name, maps in case.maps.items():
        a = maps.expand(-1, case.x.shape[1], -1, -1).numpy()
        curves = []
        for map_ in (a, a.max() - a):  # the peer refuses maps that are negative everywhere
            told = flip(
                model=case.model, x_batch=x, y_batch=labels, a_batch=map_, softmax=True, batch_size=len(x), device="cpu"
            )
            curves.append(torch.cat([full[:, None], torch.tensor(np.array(told)).double()], 1))
        found[name] = (area(curves[0]), area(curves[1].flip(1)))
    return found


def area(curves: Tensor) -> Tensor:
    return (curves[:, 1:] + curves[:, :-1]).sum(1) / (2 * (curves.shape[1] - 1))


def on_photos(count: int) -> Case:
    cases = [gl.image_case(path) for path in photos(count)]
    return _case("EfficientNet-Lite0", cases[0].model.model, torch.cat([c.x for c in cases[:count]]), 21, 1)


def on_digits(count: int) -> Case:
    """The data pack's MNIST network, or one like it with random weights, which costs as much."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(1568, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    x = torch.rand(count, 1, 28, 28)
    if pack := os.environ.get("GRADLINE_DATA"):
        weights = np.load(Path(pack) / "models" / "mnist_cnn.npz")
        model.load_state_dict({k: torch.from_numpy(weights[k]).float() for k in weights.files})
        x = torch.from_numpy(np.load(Path(pack) / "mnist.npz")["test_images"][:count]).float().unsqueeze(1) / 255
    return _case("28-px CNN", model.eval(), x, 28, 5 * count)


def _case(name: str, model: nn.Module, x: Tensor, steps: int, batch: int) -> Case:
    """Five maps of the predicted class; values are all different, so that ties decide nothing."""
    score = gl.Score(model)
    methods = {
        "ig": gl.methods.integrated_gradients(),
        "ig-mean": gl.methods.integrated_gradients().starting_at(gl.baselines.Mean()),
        "gradient": gl.methods.gradient(),
        "gradient-x-input": gl.methods.gradient_x_input(),
    }
    maps = {
        k: gl.attribute(score, x, m, steps=8 if m.path.integrates else None).values.sum(1, keepdim=True)
        for k, m in methods.items()
    }
    maps["random"] = torch.rand(maps["ig"].shape, generator=torch.Generator().manual_seed(1))
    shift = torch.rand(maps["ig"].shape, generator=torch.Generator().manual_seed(2))
    maps = {k: v + 1e-6 * v.abs().max() * shift for k, v in maps.items()}
    with torch.no_grad():
        labels = model(x).argmax(1)
    return Case(name, model, x, labels, maps, steps, batch)


BATCH = "AttriBench, its function for a batch"
PEERS = {
    "Quantus": quantus,
    "AttriBench": attribench,
    "AttriBench, loader in process": attribench_in_process,
    BATCH: attribench_batch,
}


AS_SHIPPED = ("Quantus", "AttriBench")
"""What a user of a peer can call."""


def seconds(function: Callable[[Case], Areas], case: Case) -> float:
    began = time.perf_counter()
    function(case)
    return time.perf_counter() - began


def measure(case: Case, peers: Mapping[str, Callable[[Case], Areas]], repeats: int) -> dict[str, object]:
    reference = ours(case)
    difference = {}
    for name, peer in peers.items():
        other = peer(case)
        pairs = [(a - b).abs().max() for k in reference for a, b in zip(reference[k], other[k], strict=True)]
        difference[name] = float(max(pairs))
    times: dict[str, list[float]] = {name: [] for name in ("gradline", *peers)}
    for _ in range(repeats):
        times["gradline"].append(seconds(ours, case))
        for name, peer in peers.items():
            times[name].append(seconds(peer, case))
    middle = {name: statistics.median(t) for name, t in times.items()}
    fastest = min(AS_SHIPPED, key=lambda name: middle[name])
    return {
        "case": case.name,
        "images": len(case.x),
        "maps": len(case.maps),
        "steps": case.steps,
        "threads": torch.get_num_threads(),
        "rows": {**ROWS, "peers": 2 * len(case.maps) * len(case.x) * (case.steps + 1)},
        "seconds": middle,
        "spread": {name: [min(t), max(t)] for name, t in times.items()},
        "largest difference of an area": difference,
        "fastest peer as shipped": fastest,
        "ratio": middle[fastest] / middle["gradline"],
        "ratios": {name: middle[name] / middle["gradline"] for name in peers},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--photos", type=int, default=8)
    parser.add_argument("--digits", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    warnings.filterwarnings("ignore")
    os.environ["TQDM_DISABLE"] = "1"
    cases = [*map(on_digits, asked.digits), on_photos(asked.photos)]
    found = [measure(case, PEERS, asked.repeats) for case in cases]
    for one in found:
        print(json.dumps(one, indent=2))
    OUT.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
