"""What regulators offer, by the names people know: each is one of the keys, with its source and date.

The price of a shared kWh is the members' own business everywhere; the scenario's price rule sets it. All of them settle
by quarter-hour (France by half-hour until its meters follow), and shared energy stays on the physical meter.
"""

from prosumax.market.allocation.pool import (
    by_static_rounds,
    by_static_shares,
    by_use,
    in_order,
    key_mechanism,
    static_then_by_use,
)
from prosumax.market.mechanism import mechanisms

for _name, _summary, _key in (
    (
        "brussels_fixed",
        "Brussels: fixed shares in several rounds (Sibelga's methods, 2024).",
        by_static_rounds,
    ),
    ("brussels_proportional", "Brussels: in proportion to use (Sibelga's methods, 2024).", by_use),
    (
        "brussels_hybrid",
        "Brussels: fixed shares, the rest by use (Sibelga's methods, 2024).",
        static_then_by_use,
    ),
    (
        "flanders_relative",
        "Flanders: the 'relative' key, in proportion to use (Fluvius, 2024).",
        by_use,
    ),
    (
        "france_default",
        "France: 'dynamique par defaut', in proportion to use (Enedis, 2024).",
        by_use,
    ),
    (
        "austria_static",
        "Austria: fixed shares, one round (ElWOG section 16a, EAG 2021).",
        by_static_shares,
    ),
    ("austria_dynamic", "Austria: in proportion to use (ElWOG section 16a, EAG 2021).", by_use),
    (
        "spain_beta",
        "Spain: fixed coefficients beta that add up to one (RD 244/2019, TED/1247/2021).",
        by_static_shares,
    ),
    (
        "luxembourg_priority",
        "Luxembourg: members are served in order of priority (ILR rules, 2023).",
        in_order,
    ),
):
    mechanisms.register(_name, _summary)(key_mechanism(_key))
