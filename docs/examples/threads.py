from concurrent.futures import ThreadPoolExecutor

import seqgen


def open_threads(workers, *, prefix: str = "task"):
    return ThreadPoolExecutor(workers, thread_name_prefix=prefix)  # an Executor is its own context manager


@seqgen.hookimpl
def register_executors(register):
    register(seqgen.ExecutorSpec(name="threads", summary="threads of one process", source="none", load=open_threads))
