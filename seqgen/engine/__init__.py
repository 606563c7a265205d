"""The engine: a step of a cell traced, planned, written out as loops and run over time."""
