"""Markets: a cascade of stages, each one pure function on the open orders; the grid takes what is left.

A mechanism is a tuple of stages registered by name. To add one, write a stage and register it::

    from prosumax.market import grid, mechanisms

    mechanisms.register("my_rule", "What it does, in one line.")((my_stage, grid))
"""

from prosumax.market.grid import grid
from prosumax.market.mid_market_rate import mid_market_rate
from prosumax.market.stage import Stage, clear, mechanisms, truthful_orders

__all__ = ["Stage", "clear", "grid", "mechanisms", "mid_market_rate", "truthful_orders"]
