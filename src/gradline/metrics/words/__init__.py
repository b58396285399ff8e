"""What words are worth: taken out, or left alone."""
