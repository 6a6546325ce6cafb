"""Auctions: call, continuous, incentive-compatible and partner-first mechanisms."""
