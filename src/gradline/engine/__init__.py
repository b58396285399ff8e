"""Answers the probes of flows, and the questions of metrics: the only caller of a score."""

from gradline.engine.entry import attribute, explain
from gradline.engine.glance import outputs_at, scores_at, settled

__all__ = ["attribute", "explain", "outputs_at", "scores_at", "settled"]
