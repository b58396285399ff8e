"""Answers the probes of flows: the only caller of a score."""

from gradline.engine.attribute import attribute, explain

__all__ = ["attribute", "explain"]
