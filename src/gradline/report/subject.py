"""What a report is about: an attribution of one photo, in words and numbers that page and figure share."""

from __future__ import annotations

from dataclasses import dataclass

from gradline.adapters.vision import ImageCase
from gradline.plots import PathPanel, Picture, path_panel, picture
from gradline.result import Attribution
from gradline.result.card import number, percent, rows
from gradline.status import Status

CANDIDATES = 5
"""Classes listed with their probabilities."""


@dataclass(frozen=True, eq=False)
class Subject:
    """One photo, its attribution of one class, and the command line and the Python that repeat it."""

    case: ImageCase
    attribution: Attribution
    explained: int | None
    command: str
    python: str

    @property
    def title(self) -> str:
        """The name of the explained class, without its synonyms."""
        if self.explained is None:
            return self.attribution.explained[0]
        return self.class_name(self.explained)

    @property
    def question(self) -> str:
        """What was asked, in one sentence."""
        return f"Which pixels of {self.case.name} made {self.case.model.name} see “{self.title}”?"

    @property
    def status(self) -> Status:
        return self.attribution.status[0]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Label and text, verdict first."""
        facts = rows(self.attribution, 0)
        return [*facts, ("time", f"{self.attribution.provenance['seconds']:.1f} s")]

    @property
    def picture(self) -> Picture:
        return picture(self.attribution, self.case.shown)

    @property
    def path(self) -> PathPanel | None:
        return path_panel(self.attribution)

    def class_name(self, index: int) -> str:
        return self.case.model.classes[index].split(",")[0]

    def candidates(self) -> list[tuple[str, float]]:
        """The most probable classes."""
        top = self.case.probabilities().topk(CANDIDATES)
        return [(self.class_name(int(k)), float(p)) for p, k in zip(*top, strict=True)]

    def legend(self, shown: Picture) -> tuple[str, str, str]:
        """What full blue, full red and the clipping mean."""
        beyond = f"{percent(shown.clipped)} of the pixels lie beyond and are drawn in the full colour"
        return f"−{shown.scale:.2g} lowers the score", f"+{shown.scale:.2g} raises it", beyond

    def path_sentence(self, panel: PathPanel) -> str:
        """What the path panel shows, in words."""
        start, end = number(panel.score[0]), number(panel.score[-1])
        text = f"From the baseline (t = 0) to the photo (t = 1) the score goes from {start} to {end}"
        if panel.saturation == panel.saturation:
            text += f"; 90 % of that change is made by t = {panel.saturation:.2f}"
        return f"{text}. Marks on the axis are the {len(panel.nodes)} places where the gradient was read."
