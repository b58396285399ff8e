"""How far a map moves when the input does."""
