"""Links of a Markdown page, and the places in it that links can lead to."""

from __future__ import annotations

import re
import unicodedata

FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def links(page: str) -> list[str]:
    """Targets of all links and pictures outside of code."""
    text = re.sub(r"`[^`\n]*`", "", FENCED.sub("", page))
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors(page: str) -> set[str]:
    """Of headings, as Python-Markdown names them, and of names of the reference."""
    text = FENCED.sub("", page)
    found: list[str] = []
    for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", title)
        slug = _slug(plain)
        count = sum(bool(re.fullmatch(rf"{re.escape(slug)}(_\d+)?", before)) for before in found)
        found.append(f"{slug}_{count}" if count else slug)
    return {*found, *re.findall(r"^::: (\S+)", text, re.MULTILINE), *re.findall(r'\bid="([^"]+)"', text)}


def _slug(title: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode("ascii")
    words = re.sub(r"[^\w\s-]", "", ascii_only).strip().lower()
    return re.sub(r"[-\s]+", "-", words)
