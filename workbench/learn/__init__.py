"""The face of the workbench in a notebook: predict, check, hint, claim, and what stands around them."""

from workbench.learn.again import again
from workbench.learn.arrange import arrange
from workbench.learn.check import check
from workbench.learn.claim import ClaimFailed, claim
from workbench.learn.header import header
from workbench.learn.hint import hint
from workbench.learn.panel import Verdict
from workbench.learn.predict import predict, reveal
from workbench.learn.progress import progress
from workbench.learn.question import NotRight, question
from workbench.learn.show_source import show_source

__all__ = [
    "ClaimFailed",
    "NotRight",
    "Verdict",
    "again",
    "arrange",
    "check",
    "claim",
    "header",
    "hint",
    "predict",
    "progress",
    "question",
    "reveal",
    "show_source",
]
