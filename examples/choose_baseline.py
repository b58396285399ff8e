"""How much of a map is the choice of the baseline: black, white, blurred and noise, side by side.

    python examples/choose_baseline.py

A path from black gives nothing to black pixels, whatever the network thinks of them; one from white gives nothing to
white ones. Where maps disagree, the baseline is part of the question: choose it for what you want to compare with, or
average over several. Writes choose-baseline.png.
"""

import gradline as gl

case = gl.image_case(gl.demo_photo())
method = gl.methods.integrated_gradients()
starts = {
    "black": gl.baselines.Black(),
    "white": gl.baselines.White(),
    "blurred": gl.baselines.Blur(sigma=20),
    "noise": gl.baselines.PixelNoise(),
}
methods = {name: method.starting_at(case.baseline(start)) for name, start in starts.items()}
maps = gl.compare(gl.Score(case.model.model), case.x, methods, tol=0.2)
print(maps)

print("\nrank agreement of the maps, in [−1, 1]; in brackets that of sizes, whatever the sign")
signed, absolute = maps.agreement(), maps.agreement(absolute=True)
for i, name in enumerate(starts):
    print(f"{name:<9}" + "".join(f"{signed[i, j]:6.2f} ({absolute[i, j]:.2f})" for j in range(len(starts))))

figure = gl.plots.grid(maps, case.shown, shared=False, columns=5)
gl.plots.write_figure(figure, "choose-baseline.png")
