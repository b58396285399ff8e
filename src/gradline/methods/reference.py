"""What a publication is, and how it is cited."""

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
