"""Components of tariffs, one charge per module; the registry imports them on first use."""
