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
    "dhamdhere2018": Reference(
        "Kedar Dhamdhere, Mukund Sundararajan, Qiqi Yan",
        "How Important Is a Neuron?",
        "ICLR 2019",
        2018,
        "https://arxiv.org/abs/1805.12233",
    ),
    "leino2018": Reference(
        "Klas Leino, Shayak Sen, Anupam Datta, Matt Fredrikson, Linyi Li",
        "Influence-Directed Explanations for Deep Convolutional Networks",
        "IEEE International Test Conference",
        2018,
        "https://arxiv.org/abs/1802.03788",
    ),
    "erion2021": Reference(
        "Gabriel Erion, Joseph D. Janizek, Pascal Sturmfels, Scott M. Lundberg, Su-In Lee",
        "Improving Performance of Deep Learning Models with Axiomatic Attribution Priors and Expected Gradients",
        "Nature Machine Intelligence 3",
        2021,
        "https://arxiv.org/abs/1906.10670",
    ),
    "bhat2023": Reference(
        "Ashwin Bhat, Arijit Raychowdhury",
        "Non-Uniform Interpolation in Integrated Gradients for Low-Latency Explainable-AI",
        "arXiv",
        2023,
        "https://arxiv.org/abs/2302.11107",
    ),
    "shrikumar2016": Reference(
        "Avanti Shrikumar, Peyton Greenside, Anna Shcherbina, Anshul Kundaje",
        "Not Just a Black Box: Learning Important Features Through Propagating Activation Differences",
        "arXiv",
        2016,
        "https://arxiv.org/abs/1605.01713",
    ),
}
