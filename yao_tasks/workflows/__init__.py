"""Workflows: steps that follow one another (`chain`), jobs that are joined (`group`), many that are one (`Batch`).

from yao_tasks import tasks
from yao_tasks.workflows import PREVIOUS, Batch, chain, group

order = chain(
    tasks["validate"].call("u1"),
    tasks["charge"].call(PREVIOUS, currency="EUR"),
    tasks["ship"].using(priority=10).call("u1"),
)
order.status, order.percent, order.wait(60).response
"""

from yao_tasks.core.calls import PREVIOUS, Call
from yao_tasks.core.flows import StepInfo, WorkflowInfo, WorkflowLine
from yao_tasks.workflows.handles import Batch, Workflow, chain, find, group, latest

__all__ = [
    "PREVIOUS",
    "Batch",
    "Call",
    "StepInfo",
    "Workflow",
    "WorkflowInfo",
    "WorkflowLine",
    "chain",
    "find",
    "group",
    "latest",
]
