"""Executors: tasks in worker processes, here or on other machines."""

from seqgen.executors.reserve import ReservedWorkers, check_executor, reserve_workers
from seqgen.executors.run import LOCAL, TaskResult, find_executor, is_here, run_tasks
from seqgen.executors.task import Task, ship_plugins

__all__ = [
    "LOCAL",
    "ReservedWorkers",
    "Task",
    "TaskResult",
    "check_executor",
    "find_executor",
    "is_here",
    "reserve_workers",
    "run_tasks",
    "ship_plugins",
]
