"""What a map looks like, and what it adds up to: no question of the model, or two."""
