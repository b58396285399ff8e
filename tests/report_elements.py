"""What stands on a page: a reader of HTML for tests, and a name that must do nothing."""

from __future__ import annotations

from html.parser import HTMLParser

import gradline as gl
from gradline.report import Photo
from gradline.report.page import page

HOSTILE = "</script><script>alert('1')</script>\"&<img src=x onerror=alert(2)>.jpg"


class Elements(HTMLParser):
    """Tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.numbers, self._inside = "", "", ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = f"{tag} {dict(attrs).get('type', '')}"

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script application/json":
            self.numbers += data
        elif not self._inside:
            self.text += data.replace("\u00a0", " ")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(case: tuple[gl.Attribution, Photo]) -> Elements:
    return Elements(page(*case))
