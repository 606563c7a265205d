"""A plugin written for version 1.1 of the hooks, with what 1.0 does not have. It must keep working: never change it."""

from concurrent.futures import ThreadPoolExecutor

import seqgen

seqgen_api = "1.1"


@seqgen.hookimpl
def register_executors(register):
    register(
        seqgen.ExecutorSpec(
            name="mine",
            summary="threads",
            source="none",
            load=lambda workers, *, name="task": ThreadPoolExecutor(workers),
        )
    )


@seqgen.hookimpl
def register_commands(app):
    @app.command()
    def means(on: str = "local"):
        tasks = [seqgen.Task("statistics:fmean", {"data": [0, n]}, label=f"mean of {n}") for n in (2, 4, 6)]
        print(sorted(int(result.value) for result in seqgen.run_tasks(tasks, workers=2, on=on, options={"name": "x"})))
