"""An executor of threads; replace it by that of your cluster."""

from concurrent.futures import Executor, ThreadPoolExecutor


def open_threads(workers: int, *, prefix: str = "task") -> Executor:
    """Return a pool of threads, which is its own context manager.

    Args:
        workers: number of tasks that run at once.
        prefix: the beginning of the names of the threads.
    """
    return ThreadPoolExecutor(workers, thread_name_prefix=prefix)
