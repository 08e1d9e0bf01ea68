"""Training: from a recipe and people to weights."""
