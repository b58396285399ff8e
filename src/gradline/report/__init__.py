"""One attribution of a photo as one HTML file or one PNG: the verdict, the pictures, the path, the provenance."""

from gradline.report.figure import write_png
from gradline.report.page import write_html
from gradline.report.subject import Subject

__all__ = ["Subject", "write_html", "write_png"]
