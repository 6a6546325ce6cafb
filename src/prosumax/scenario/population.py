"""What a person writes about who learns, and how, in a community."""

from typing import Annotated, Literal

from pydantic import Field

from prosumax.scenario._model import Model


class Members(Model):
    """Homes that decide alike when the community is trained (`prosumax train`); see docs/learning.md."""

    homes: Annotated[list[str], Field(min_length=1)] | Literal["others"]
    """Their names, or all that no other entry names."""
    policy: str
    """A learning algorithm (`prosumax algorithms`) or a rule (`prosumax policies`)."""
    paradigm: Literal["dtde", "dtde-shared", "ctde", "ctde-shared", "ctce"] = "dtde"
    """Who shares parameters, and what critics and actors see."""
    goal: str | dict[str, float] | None = None
    """A reward term, or weights of several; what the environment or the home says when absent."""
    settings: dict[str, float | int | bool | str | list[int]] = {}
    """Hyper-parameters and options of the algorithm."""
