"""Answers the probes of flows: the only caller of a score."""

from gradline.engine.entry import attribute, explain

__all__ = ["attribute", "explain"]
