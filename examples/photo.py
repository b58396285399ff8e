"""Which pixels of a photo a network used: a report for the browser and figures for a paper.

    python examples/photo.py                # a photo that comes with the extras
    python examples/photo.py cat.jpg

Writes photo.html, photo.pdf (the whole page), photo-overlay.png and photo-map.svg (one column wide), and
photo.safetensors, which holds every number. EfficientNet-Lite0, from a wheel, needs gradline[all].
"""

import sys

import gradline as gl

photo = sys.argv[1] if len(sys.argv) > 1 else gl.demo_photo()
a = gl.explain_image(photo)  # the predicted class, from black, to a map error of 5 %
print(a)

a.save("photo.html")
a.save("photo.pdf")
a.save("photo.safetensors")
gl.plots.write_figure(gl.plots.overlay(a), "photo-overlay.png")
gl.plots.write_figure(gl.plots.map(a, width=2.0), "photo-map.svg")

sums = a.sum(1)[0]  # (224, 224): the contributions of the three colours of a pixel together
row, column = divmod(int(sums.argmax()), sums.shape[1])
print(f"\nthe strongest pixel is in row {row}, column {column}: {sums.max():+.3f} of {a.score[0]:.3f}")
print(f"all pixels add up to {sums.double().sum():.3f}; F(x) − F(x') is {a.score[0] - a.baseline_score[0]:.3f}")

runner_up = a.shown[0].candidates[1][0]
b = gl.explain_image(photo, target=runner_up, tol=0.2)  # a class by its name, a quick look
print(f"\nwhy “{runner_up}”?\n{b}")
