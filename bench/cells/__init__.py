"""Cells: the configurations to be measured, their keys, recipes and plans; nothing here runs."""
