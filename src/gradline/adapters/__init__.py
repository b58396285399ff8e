"""From raw things to a case: a question, an input, a fitting baseline, and what to show."""

from gradline.adapters.photo import demo_photo
from gradline.adapters.vision import ImageCase, explain_image, image_case

__all__ = ["ImageCase", "demo_photo", "explain_image", "image_case"]
