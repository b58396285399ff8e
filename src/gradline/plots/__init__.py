"""Figures for papers: every function takes an attribution and returns a matplotlib `Figure`, made without pyplot.

`map`, `overlay`: one map. `bars`: the largest contributions. `curve`, `stages`: along the path. `grid`, `baselines`:
several maps. `leaderboard`: methods judged by metrics. `neurons`: the channels behind a region. `text`: a text, its
words coloured; `token_matrix`: an answer and its prompt. `waterfall`, `beeswarm`: rows of a table. `series`,
`spectrum`: time series and their frequencies. `summary`: everything on one page. `write_figure`: .png, .svg, .pdf.
Widths are in inches, `ONE_COLUMN` (3.3) and `TWO_COLUMNS` (6.9) of a page; heights follow. Every legend says in
numbers what full colour means.

Numbers first: `picture`, `path_panel`, `partial_maps`, `ranking`, `tokens`, `words`, `sentences`, `sources`,
`row_features`, `series_panel` and `spectrum_panel` are what is drawn, as plain arrays. matplotlib is loaded with the
first figure.
"""

from typing import TYPE_CHECKING, Any

from gradline.errors import MissingExtra
from gradline.lazy import loader, names_of
from gradline.plots.drawing.paper import ONE_COLUMN, TWO_COLUMNS
from gradline.plots.features import Ranking, ranking
from gradline.plots.maps import Picture, picture
from gradline.plots.partial import Stages, partial_maps
from gradline.plots.path import PathPanel, path_panel
from gradline.plots.rows import RowFeatures, row_features
from gradline.plots.samples import SeriesPanel, SpectrumPanel, series_panel, spectrum_panel
from gradline.plots.tokens import Level, Sources, Spans, sentences, sources, spans, tokens, words

if TYPE_CHECKING:
    from gradline.plots.drawing.answers import token_matrix
    from gradline.plots.drawing.curves import series, spectrum
    from gradline.plots.drawing.files import write_figure
    from gradline.plots.drawing.growing_map import stages
    from gradline.plots.drawing.intervals import leaderboard
    from gradline.plots.drawing.neurons import neurons
    from gradline.plots.drawing.one_map import map, overlay  # noqa: A004
    from gradline.plots.drawing.one_page import summary
    from gradline.plots.drawing.path import curve
    from gradline.plots.drawing.ranked_bars import bars
    from gradline.plots.drawing.row_steps import waterfall
    from gradline.plots.drawing.row_swarms import beeswarm
    from gradline.plots.drawing.several import baselines, grid
    from gradline.plots.drawing.tokens import text
else:
    _find = loader(
        __name__,
        names_of(
            {
                "gradline.plots.drawing.ranked_bars": "bars",
                "gradline.plots.drawing.row_swarms": "beeswarm",
                "gradline.plots.drawing.row_steps": "waterfall",
                "gradline.plots.drawing.files": "write_figure",
                "gradline.plots.drawing.neurons": "neurons",
                "gradline.plots.drawing.one_map": "map overlay",
                "gradline.plots.drawing.path": "curve",
                "gradline.plots.drawing.curves": "series spectrum",
                "gradline.plots.drawing.several": "baselines grid",
                "gradline.plots.drawing.growing_map": "stages",
                "gradline.plots.drawing.intervals": "leaderboard",
                "gradline.plots.drawing.one_page": "summary",
                "gradline.plots.drawing.answers": "token_matrix",
                "gradline.plots.drawing.tokens": "text",
            }
        ),
    )

    def __getattr__(name: str) -> Any:
        try:
            return _find(name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "matplotlib":
                raise
            raise MissingExtra("drawing a figure", "report") from error


__all__ = [
    "ONE_COLUMN",
    "TWO_COLUMNS",
    "Level",
    "PathPanel",
    "Picture",
    "Ranking",
    "RowFeatures",
    "SeriesPanel",
    "Sources",
    "Spans",
    "SpectrumPanel",
    "Stages",
    "bars",
    "baselines",
    "beeswarm",
    "curve",
    "grid",
    "leaderboard",
    "map",
    "neurons",
    "overlay",
    "partial_maps",
    "path_panel",
    "picture",
    "ranking",
    "row_features",
    "sentences",
    "series",
    "series_panel",
    "sources",
    "spans",
    "spectrum",
    "spectrum_panel",
    "stages",
    "summary",
    "text",
    "token_matrix",
    "tokens",
    "waterfall",
    "words",
    "write_figure",
]


def __dir__() -> list[str]:
    return __all__
