"""Models by name, with the preprocessing and the class names that belong to them. One file a source."""

from typing import TYPE_CHECKING

from gradline.adapters.models.known import KINDS, completions, names
from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.adapters.models.choose import AnyModel, any_model, image_model
    from gradline.adapters.models.exported import save_exported
    from gradline.adapters.models.factory import from_factory
    from gradline.adapters.models.model import ImageModel, Source
    from gradline.adapters.models.preprocessing import PREPROCESSINGS, Channels, Preprocessing, Resample, Rounding
else:
    __getattr__ = loader(
        __name__,
        names_of(
            {
                "gradline.adapters.models.choose": "AnyModel any_model image_model",
                "gradline.adapters.models.exported": "save_exported",
                "gradline.adapters.models.factory": "from_factory",
                "gradline.adapters.models.model": "ImageModel Source",
                "gradline.adapters.models.preprocessing": "PREPROCESSINGS Channels Preprocessing Resample Rounding",
            }
        ),
    )

__all__ = [
    "KINDS",
    "PREPROCESSINGS",
    "AnyModel",
    "Channels",
    "ImageModel",
    "Preprocessing",
    "Resample",
    "Rounding",
    "Source",
    "any_model",
    "completions",
    "from_factory",
    "image_model",
    "names",
    "save_exported",
]
