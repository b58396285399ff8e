"""The map as a linear model of what perturbations do to the score."""
