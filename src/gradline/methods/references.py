"""The papers behind the methods, by citation key."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A publication: enough to find it and to cite it."""

    authors: str
    title: str
    where: str
    year: int
    url: str


REFERENCES: dict[str, Reference] = {
    "sundararajan2017": Reference(
        "Mukund Sundararajan, Ankur Taly, Qiqi Yan",
        "Axiomatic Attribution for Deep Networks",
        "ICML",
        2017,
        "https://arxiv.org/abs/1703.01365",
    ),
    "simonyan2014": Reference(
        "Karen Simonyan, Andrea Vedaldi, Andrew Zisserman",
        "Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency Maps",
        "ICLR Workshop",
        2014,
        "https://arxiv.org/abs/1312.6034",
    ),
    "shrikumar2016": Reference(
        "Avanti Shrikumar, Peyton Greenside, Anna Shcherbina, Anshul Kundaje",
        "Not Just a Black Box: Learning Important Features Through Propagating Activation Differences",
        "arXiv",
        2016,
        "https://arxiv.org/abs/1605.01713",
    ),
}
