"""The store: bytes under content keys, and their provenance; independent of cells."""
