"""Performance information curves: the score against the information that is left in a picture."""
