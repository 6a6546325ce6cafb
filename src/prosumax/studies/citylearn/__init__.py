"""Studies on the homes of the CityLearn Challenge 2022."""
