"""The store: bytes under content keys, and where they came from; it knows no cell."""
