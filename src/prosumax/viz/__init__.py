"""Charts: data, figure and text of every chart."""
