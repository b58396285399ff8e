"""What comes out: the attribution, its proof and its provenance."""

from gradline.result.attribution import Attribution, Curve
from gradline.result.finding import Finding
from gradline.result.storage import load
from gradline.status import Status

__all__ = ["Attribution", "Curve", "Finding", "Status", "load"]
