"""The numerics: paths, rules, baselines and the tolerance controller. No model in sight."""
