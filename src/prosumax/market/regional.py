"""Regulated sharing schemes by region: allocation keys under the names that regulators use.

The price of a shared kWh is a private agreement between the members everywhere; the price rule of
the scenario sets it. All schemes settle by quarter-hour (France by half-hour until its meters
follow), and shared energy stays on the physical meter.
"""

from prosumax.market.allocation.pool import (
    hybrid_key,
    key_mechanism,
    priority_key,
    pro_rata_key,
    static_key,
    static_rounds_key,
)
from prosumax.market.mechanism import mechanisms

for _name, _summary, _key in (
    (
        "brussels_fixed",
        "Brussels: fixed shares in several rounds (Sibelga's methods, 2024).",
        static_rounds_key,
    ),
    (
        "brussels_proportional",
        "Brussels: in proportion to consumption (Sibelga's methods, 2024).",
        pro_rata_key,
    ),
    (
        "brussels_hybrid",
        "Brussels: fixed shares, the rest by consumption (Sibelga's methods, 2024).",
        hybrid_key,
    ),
    (
        "flanders_relative",
        "Flanders: the 'relative' key, in proportion to consumption (Fluvius, 2024).",
        pro_rata_key,
    ),
    (
        "france_default",
        "France: 'dynamique par defaut', in proportion to consumption (Enedis, 2024).",
        pro_rata_key,
    ),
    (
        "austria_static",
        "Austria: fixed shares, one round (ElWOG section 16a, EAG 2021).",
        static_key,
    ),
    (
        "austria_dynamic",
        "Austria: in proportion to consumption (ElWOG section 16a, EAG 2021).",
        pro_rata_key,
    ),
    (
        "spain_beta",
        "Spain: fixed coefficients beta that add up to one (RD 244/2019, TED/1247/2021).",
        static_key,
    ),
    (
        "luxembourg_priority",
        "Luxembourg: members are served in order of priority (ILR rules, 2023).",
        priority_key,
    ),
):
    mechanisms.register(_name, _summary)(key_mechanism(_key))
