"""How the score falls and rises as what a map found important is removed and put back."""
