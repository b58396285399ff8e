"""Where the map lies, against where the evidence is known to be."""
