"""Built-in dataset of synthetic people."""
