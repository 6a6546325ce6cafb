"""Sky, sun position and PV generation."""
