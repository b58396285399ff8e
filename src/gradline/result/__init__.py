"""What comes out: the attribution, its proof and its provenance."""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.result.attribution import Attribution, Curve
    from gradline.result.finding import Finding
    from gradline.result.storage import load
else:
    __getattr__ = loader(
        __name__,
        names_of(
            {
                "gradline.result.attribution": "Attribution Curve",
                "gradline.result.finding": "Finding",
                "gradline.result.storage": "load",
            }
        ),
    )

__all__ = ["Attribution", "Curve", "Finding", "load"]
