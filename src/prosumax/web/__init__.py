"""Citizen demo: energy communities explained in a browser; needs the extra `prosumax[web]`.

`prosumax.web.server.launch.serve` starts it. `model` (state of the pages, translations, simulated
homes and communities), `charts` and `jobs` do not depend on the web framework; `kit`, `pages` and
`server` do.
"""
