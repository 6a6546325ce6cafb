"""Charts of networks: feeder maps and payments between homes."""
