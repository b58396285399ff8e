"""For those who write parts: `conformance`, the laws behind it, analytic fields with exact answers, a driver without a
model, and transcripts of calls on models that are not at hand."""

from gradline.testing.conformance import cases, conformance
from gradline.testing.drive import Told, drive, frame
from gradline.testing.fields import FIELDS, Field
from gradline.testing.recall import NewQuestion
from gradline.testing.transcript import Transcript, record

__all__ = [
    "FIELDS",
    "Field",
    "NewQuestion",
    "Told",
    "Transcript",
    "cases",
    "conformance",
    "drive",
    "frame",
    "record",
]
