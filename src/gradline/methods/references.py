"""The papers behind the methods, by citation key."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A publication: enough to find it and to cite it.

    `authors`: separated by commas. `where`: journal or proceedings, "arXiv" for what appeared nowhere else; `volume` of
    a journal. `year`: of that publication.
    """

    authors: str
    title: str
    where: str
    year: int
    url: str
    volume: str = ""

    @property
    def text(self) -> str:
        """As it stands in a list of references."""
        volume = f" {self.volume}" if self.volume else ""
        title = self.title if self.title.endswith("?") else f"{self.title}."
        return f"{self.authors} ({self.year}). {title} {self.where}{volume}. {self.url}"

    def bibtex(self, key: str) -> str:
        """As an entry of a BibTeX file."""
        kind, place = ("article", "journal") if self.volume else ("inproceedings", "booktitle")
        fields = {"title": f"{{{self.title}}}", "author": self.authors.replace(", ", " and ")}
        if self.where == "arXiv":
            kind = "misc"
            fields |= {"eprint": self.url.rpartition("/")[2], "archiveprefix": "arXiv"}
        else:
            fields[place] = self.where
        fields |= {"volume": self.volume, "year": str(self.year), "url": self.url}
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        return "\n".join([f"@{kind}{{{key},", *lines, "}"])


REFERENCES: dict[str, Reference] = {
    "sundararajan2017": Reference(
        "Mukund Sundararajan, Ankur Taly, Qiqi Yan",
        "Axiomatic Attribution for Deep Networks",
        "International Conference on Machine Learning (ICML)",
        2017,
        "https://arxiv.org/abs/1703.01365",
    ),
    "simonyan2014": Reference(
        "Karen Simonyan, Andrea Vedaldi, Andrew Zisserman",
        "Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency Maps",
        "International Conference on Learning Representations (ICLR), Workshop",
        2014,
        "https://arxiv.org/abs/1312.6034",
    ),
    "dhamdhere2018": Reference(
        "Kedar Dhamdhere, Mukund Sundararajan, Qiqi Yan",
        "How Important Is a Neuron?",
        "International Conference on Learning Representations (ICLR)",
        2019,
        "https://arxiv.org/abs/1805.12233",
    ),
    "shrikumar2018": Reference(
        "Avanti Shrikumar, Jocelin Su, Anshul Kundaje",
        "Computationally Efficient Measures of Internal Neuron Importance",
        "arXiv",
        2018,
        "https://arxiv.org/abs/1807.09946",
    ),
    "leino2018": Reference(
        "Klas Leino, Shayak Sen, Anupam Datta, Matt Fredrikson, Linyi Li",
        "Influence-Directed Explanations for Deep Convolutional Networks",
        "IEEE International Test Conference (ITC)",
        2018,
        "https://arxiv.org/abs/1802.03788",
    ),
    "erion2021": Reference(
        "Gabriel Erion, Joseph D. Janizek, Pascal Sturmfels, Scott M. Lundberg, Su-In Lee",
        "Improving Performance of Deep Learning Models with Axiomatic Attribution Priors and Expected Gradients",
        "Nature Machine Intelligence",
        2021,
        "https://arxiv.org/abs/1906.10670",
        volume="3",
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
