"""Auctions: call, continuous, truthful and partner-first mechanisms."""
