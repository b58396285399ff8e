"""For those who write parts: analytic fields with exact answers, a driver without a model, and the laws."""

from gradline.testing.drive import Told, drive, frame
from gradline.testing.fields import FIELDS, Field

__all__ = ["FIELDS", "Field", "Told", "drive", "frame"]
