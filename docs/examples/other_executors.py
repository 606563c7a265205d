import contextlib
import tempfile
from concurrent.futures import ThreadPoolExecutor

import seqgen


@contextlib.contextmanager
def open_dask(workers, *, address: str = ""):
    from distributed import Client

    with Client(address or None, **({} if address else {"n_workers": workers, "threads_per_worker": 1})) as client:
        yield client.get_executor(pure=False)


@contextlib.contextmanager
def open_parsl(workers):
    from parsl import Config, HighThroughputExecutor
    from parsl.concurrent import ParslPoolExecutor

    with tempfile.TemporaryDirectory() as folder:
        pool = HighThroughputExecutor(max_workers_per_node=workers)
        executor = ParslPoolExecutor(Config(executors=[pool], run_dir=folder))
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)  # ends what still runs


class Submitit(ThreadPoolExecutor):  # a thread waits for each job, on Slurm or, where there is none, on this machine
    def __init__(self, workers, *, folder: str = "submitit", partition: str = "", minutes: int = 60):
        import submitit

        super().__init__(workers)
        self.jobs, self.executor = [], submitit.AutoExecutor(folder)
        self.executor.update_parameters(timeout_min=minutes, slurm_partition=partition or None)

    def submit(self, fn, /, *args):
        self.jobs.append(self.executor.submit(fn, *args))
        return super().submit(self.jobs[-1].result)

    def __exit__(self, kind, error, trace):
        for job in self.jobs if kind else ():
            job.cancel()
        super().__exit__(kind, error, trace)


@seqgen.hookimpl
def register_executors(register):
    for name, load in (("dask", open_dask), ("parsl", open_parsl), ("submitit", Submitit)):
        register(seqgen.ExecutorSpec(name=name, summary=f"tasks on {name}", source="none", load=load))
