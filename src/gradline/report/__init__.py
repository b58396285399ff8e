"""What an attribution looks like: the verdict, the pictures, the path, the provenance, in one HTML file.

Of a photo: `write_html`, a page that opens from disk; `fragment`: a part of a notebook; `widget`: the same with
controls that Python sees. Of a text: `write_text`; of an answer and its prompt: `write_matrix`. `write_comparison`:
several methods side by side; `write_leaderboard`: methods judged by metrics; `write_neurons`: the channels behind a
region.
`Photo`, `Text`, `Row`, `Series`, `Spectrum`: what an adapter knows of an example; they make the pages of `a.save`.
"""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of
from gradline.report.photo import OtherBaseline, Photo
from gradline.report.row import Cell, Row
from gradline.report.series import Series, Spectrum
from gradline.report.text import Piece, Text

if TYPE_CHECKING:
    from gradline.report.grid import write_comparison as write_comparison
    from gradline.report.neurons import write_neurons as write_neurons
    from gradline.report.notebook import widget as widget
    from gradline.report.page import fragment as fragment
    from gradline.report.page import write_html as write_html
    from gradline.report.standing import write_leaderboard as write_leaderboard
    from gradline.report.text_page import write_matrix as write_matrix
    from gradline.report.text_page import write_text as write_text
else:
    __getattr__ = loader(
        __name__,
        names_of(
            {
                "gradline.report.grid": "write_comparison",
                "gradline.report.neurons": "write_neurons",
                "gradline.report.notebook": "widget",
                "gradline.report.page": "fragment write_html",
                "gradline.report.standing": "write_leaderboard",
                "gradline.report.text_page": "write_matrix write_text",
            }
        ),
    )

__all__ = [
    "Cell",
    "OtherBaseline",
    "Photo",
    "Piece",
    "Row",
    "Series",
    "Spectrum",
    "Text",
    "fragment",
    "widget",
    "write_comparison",
    "write_html",
    "write_leaderboard",
    "write_matrix",
    "write_neurons",
    "write_text",
]
