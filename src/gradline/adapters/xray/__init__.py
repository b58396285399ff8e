"""Chest X-rays: a small classifier of ours and two pictures, to try everything on a medical image. Not a diagnosis."""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.adapters.xray.network import xray_model
    from gradline.adapters.xray.pictures import xray_photo
else:
    __getattr__ = loader(
        __name__,
        names_of(
            {
                "gradline.adapters.xray.network": "xray_model",
                "gradline.adapters.xray.pictures": "xray_photo",
            }
        ),
    )

__all__ = ["xray_model", "xray_photo"]
