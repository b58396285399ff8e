"""Tables: a model's columns, how rows of a frame become its input, where their paths start, contributions as a frame.

`TabularModel`: the model with its `Numeric` and `Category` columns; `columns_of` fits these to a training frame.
Baselines: `Mean`, `Typical`, `Background`, or a row. `frame`: the contributions, as a frame of the kind that went in.
"""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.adapters.tabular.baselines import Background, Mean, Typical
    from gradline.adapters.tabular.columns import Category, Numeric
    from gradline.adapters.tabular.explain import explain_table, frame
    from gradline.adapters.tabular.fit import columns_of
    from gradline.adapters.tabular.model import TabularModel
else:
    __getattr__ = loader(
        __name__,
        names_of(
            {
                "gradline.adapters.tabular.baselines": "Background Mean Typical",
                "gradline.adapters.tabular.columns": "Category Numeric",
                "gradline.adapters.tabular.explain": "explain_table frame",
                "gradline.adapters.tabular.fit": "columns_of",
                "gradline.adapters.tabular.model": "TabularModel",
            }
        ),
    )

__all__ = [
    "Background",
    "Category",
    "Mean",
    "Numeric",
    "TabularModel",
    "Typical",
    "columns_of",
    "explain_table",
    "frame",
]
