"""The pages: layout only. What they show comes from `household`, `charts` and the jobs."""
