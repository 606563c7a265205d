"""The engine: a tracing compiler that runs the steps of a cell over time; ``docs/engine.md`` explains it."""
