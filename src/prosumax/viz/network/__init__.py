"""Charts of networks: feeder maps, loading, voltages, distances and the network operator."""
