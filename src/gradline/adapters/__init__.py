"""From raw things to a case: a question, an input, a fitting baseline, and what to show."""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.adapters.image import explain_image
    from gradline.adapters.neurons import explain_region
    from gradline.adapters.photo import demo_photo
    from gradline.adapters.vision import ImageCase, image_case
else:
    __getattr__ = loader(
        __name__,
        names_of(
            {
                "gradline.adapters.image": "explain_image",
                "gradline.adapters.neurons": "explain_region",
                "gradline.adapters.photo": "demo_photo",
                "gradline.adapters.vision": "ImageCase image_case",
            }
        ),
    )

__all__ = ["ImageCase", "demo_photo", "explain_image", "explain_region", "image_case"]
