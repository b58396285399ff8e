"""Pictures: numbers first (plain arrays), then a figure."""

from gradline.plots.maps import Picture, picture
from gradline.plots.path import PathPanel, path_panel

__all__ = ["PathPanel", "Picture", "path_panel", "picture"]
