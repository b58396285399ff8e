"""Several methods on one photo: what each costs, how well it is known, and how far they agree.

    python examples/compare_methods.py

Maps of the same unit share a colour scale in the figure; the plain gradient is a slope, not a contribution, and gets
one of its own. Writes compare-methods.pdf.
"""

import gradline as gl

case = gl.image_case(gl.demo_photo())
ig = gl.methods.integrated_gradients()
methods = {
    "integrated gradients": ig.starting_at(case.baseline()),
    "two baselines": ig.starting_at(gl.baselines.Each(case.baseline(), case.baseline(gl.baselines.White()))),
    "gradient × input": gl.methods.gradient_x_input(),
    "gradient": gl.methods.gradient(),
}
maps = gl.compare(gl.Score(case.model.model, gl.Margin(967)), case.x, methods, tol=0.2)  # espresso less its best rival
print(maps)

agreement = maps.agreement()
print("\nrank agreement with integrated gradients")
for name, value in zip(methods, agreement[0], strict=True):
    print(f"  {name:<22}{value:6.2f}")

print("\nwhat the values add up to")
for name, a in maps.attributions.items():
    law = "no claim" if a.completeness_gap is None else f"F(x) − F(x') up to {a.completeness_gap[0]:+.3f}"
    print(f"  {name:<22}{a.values.double().sum():8.3f}   {law}")

gl.plots.write_figure(gl.plots.grid(maps, case.shown, columns=5), "compare-methods.pdf")
