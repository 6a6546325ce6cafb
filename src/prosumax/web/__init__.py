"""The citizen demo: understand, try your home, choose your community's rule. Needs `prosumax[web]`.

`serve` starts it. What is not layout knows nothing of the web framework: `state` (what a visitor set, as a URL),
`words` (texts and numbers in three languages), `charts` (results as ECharts options with a sentence and a table) and
`household` (the home of page two, on the simulator).
"""

from prosumax.web.server.launch import serve

__all__ = ["serve"]
