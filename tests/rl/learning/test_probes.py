"""Every algorithm solves environments whose best reward is known, in every paradigm."""


# Test folders are no packages here.
