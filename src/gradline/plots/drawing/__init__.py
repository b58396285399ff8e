"""What needs matplotlib: `gradline.plots` loads it with the first figure."""
