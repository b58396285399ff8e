"""Figures for papers: every function takes an attribution and returns a matplotlib `Figure`, made without pyplot.

`map`, `overlay`: one map. `bars`: the largest contributions. `curve`, `stages`: along the path. `grid`, `baselines`:
several maps. `leaderboard`: methods judged by metrics. `neurons`: the channels behind a region. `summary`: everything
on one page. `write_figure`: .png, .svg, .pdf. Widths are in inches, `ONE_COLUMN` (3.3) and `TWO_COLUMNS` (6.9) of a
page; heights follow. Every legend says in numbers what full colour means.

Numbers first: `picture`, `path_panel`, `partial_maps` and `ranking` are what is drawn, as plain arrays. matplotlib is
loaded with the first figure.
"""

from typing import TYPE_CHECKING, Any

from gradline.errors import MissingExtra
from gradline.lazy import loader, names_of
from gradline.plots.drawing.paper import ONE_COLUMN, TWO_COLUMNS
from gradline.plots.features import Ranking, ranking
from gradline.plots.maps import Picture, picture
from gradline.plots.partial import Stages, partial_maps
from gradline.plots.path import PathPanel, path_panel

if TYPE_CHECKING:
    from gradline.plots.drawing.files import write_figure
    from gradline.plots.drawing.growing_map import stages
    from gradline.plots.drawing.intervals import leaderboard
    from gradline.plots.drawing.neurons import neurons
    from gradline.plots.drawing.one_map import map, overlay  # noqa: A004
    from gradline.plots.drawing.one_page import summary
    from gradline.plots.drawing.path import curve
    from gradline.plots.drawing.ranked_bars import bars
    from gradline.plots.drawing.several import baselines, grid
else:
    _find = loader(
        __name__,
        names_of(
            {
                "gradline.plots.drawing.ranked_bars": "bars",
                "gradline.plots.drawing.files": "write_figure",
                "gradline.plots.drawing.neurons": "neurons",
                "gradline.plots.drawing.one_map": "map overlay",
                "gradline.plots.drawing.path": "curve",
                "gradline.plots.drawing.several": "baselines grid",
                "gradline.plots.drawing.growing_map": "stages",
                "gradline.plots.drawing.intervals": "leaderboard",
                "gradline.plots.drawing.one_page": "summary",
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
    "PathPanel",
    "Picture",
    "Ranking",
    "Stages",
    "bars",
    "baselines",
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
    "stages",
    "summary",
    "write_figure",
]


def __dir__() -> list[str]:
    return __all__
