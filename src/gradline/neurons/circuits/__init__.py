"""Edges between the heads and MLPs of a transformer, and the circuits that they make."""
