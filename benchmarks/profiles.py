"""Generated loads against standard load profiles and measured homes.

    python benchmarks/profiles.py [--homes 200] [--plots docs/img]

Prints the figures and draws the plots of the documentation page on load profiles. Needs
`prosumax[slp]` (BDEW's standard load profiles), the data set of CityLearn (`prosumax data fetch
citylearn-2022`) and, for the plots, matplotlib.
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd

import timing
from prosumax.data.generators.household.lifestyles import LIFESTYLE_SHARES, LIFESTYLES
from prosumax.data.generators.household.load import HouseholdLoad, synthetic_load
from prosumax.data.generators.household.occupancy import belgian_public_holidays
from prosumax.data.readers.citylearn import read_citylearn_load

ZONE = "Europe/Brussels"
YEAR = 2025


def local_year() -> pd.DatetimeIndex:
    """Quarter-hours of the year, UTC."""
    start, end = (pd.Timestamp(f"{y}-01-01", tz=ZONE).tz_convert("UTC") for y in (YEAR, YEAR + 1))
    return pd.date_range(start, end, freq="15min", inclusive="left")


def weekday_shape(values: np.ndarray, clock: pd.DatetimeIndex) -> np.ndarray:
    """Mean workday in quarters of an hour, divided by its own mean [96]."""
    holidays = belgian_public_holidays(YEAR)
    workday = (clock.dayofweek < 5) & ~np.isin(clock.date, list(holidays))
    day = (
        pd.Series(values[workday])
        .groupby((clock.hour * 4 + clock.minute // 15)[workday])
        .mean()
        .to_numpy()
    )
    return day / day.mean()


def distance(one: np.ndarray, other: np.ndarray) -> str:
    """Root mean square and mean absolute difference (of the mean), and correlation."""
    rms, mae = np.sqrt(((one - other) ** 2).mean()), np.abs(one - other).mean()
    return f"rms {rms:.3f}, mean abs {mae:.3f}, correlation {np.corrcoef(one, other)[0, 1]:.3f}"


def bdew() -> dict[str, np.ndarray]:
    """Return the workdays of BDEW's household profiles H0 (1999, dynamic) and H25 (2025)."""
    from demandlib import bdew

    old = bdew.ElecSlp(YEAR).get_scaled_power_profiles({"h0_dyn": 1.0})["h0_dyn"]
    clock = pd.date_range(f"{YEAR}-01-01", f"{YEAR + 1}-01-01", freq="15min", inclusive="left")
    new = np.asarray(bdew.H25(clock)).ravel()
    return {"BDEW H0": weekday_shape(old.to_numpy(), clock), "BDEW H25": weekday_shape(new, clock)}


def citylearn() -> np.ndarray:
    """Return the hourly workday [24] of the five homes of CityLearn 2022, in California."""
    index = pd.date_range("2016-07-31 23:00", periods=8760, freq="h", tz="UTC")
    loads = [
        read_citylearn_load("citylearn-2022", f"Building_{n}", 0, index, "benchmark")[0]
        for n in range(1, 6)
    ]
    mean = np.mean(loads, axis=0)
    # The calendar of the data set begins on a Sunday evening (31 July 2016 was one).
    workday = index.dayofweek < 5
    day = pd.Series(mean[workday]).groupby(index.hour[workday]).mean().to_numpy()
    return day / day.mean()


def main() -> None:
    """Print the figures, and draw the plots on request."""
    parser = timing.parser(__doc__)
    parser.add_argument("--homes", type=int, default=200)
    parser.add_argument("--plots", type=Path)
    options = parser.parse_args()
    num_homes = 4 if options.toy else options.homes
    index = local_year()
    clock = index.tz_convert(ZONE)
    month = clock.month.to_numpy()
    days: dict[str, np.ndarray] = {}
    mean_kwh = np.zeros(len(index))
    peaks, uses = {}, {}
    began = time.perf_counter()
    print(
        f"{'lifestyle':24}{'target':>8}{'mean kWh':>10}{'off':>7}{'CV':>6}{'monthly peak kW':>17}"
    )
    for name, kind in LIFESTYLES.items():
        homes: list[HouseholdLoad] = [
            synthetic_load(index, name, None, seed, ZONE) for seed in range(num_homes)
        ]
        kwh = np.stack([home.kwh for home in homes]).astype(np.float32)
        annual = kwh.sum(axis=1, dtype=np.float64)
        peaks[name] = 4 * np.mean([kwh[:, month == m].max(axis=1).mean() for m in range(1, 13)])
        off = annual.mean() / kind.annual_kwh - 1
        spread = annual.std() / annual.mean()
        print(
            f"{name:24}{kind.annual_kwh:8.0f}{annual.mean():10.0f}{off:+7.1%}{spread:6.2f}{peaks[name]:17.2f}"
        )
        mean_kwh += LIFESTYLE_SHARES[name] * kwh.mean(axis=0)
        days[name] = np.stack(
            [
                pd.Series(kwh.mean(axis=0)[part] * 4000)
                .groupby((clock.hour * 4 + clock.minute // 15)[part])
                .mean()
                for part in (clock.dayofweek < 5, clock.dayofweek >= 5)
            ]
        )
        for home in homes:
            for use, energy in home.end_use_kwh.items():
                uses[use] = uses.get(use, 0.0) + LIFESTYLE_SHARES[name] * energy / len(homes)
        week = kwh[3].reshape(-1)[96 * 14 : 96 * 21] * 4  # the third week of January of one home
        days[f"{name} week"] = week
    seconds = (time.perf_counter() - began) / len(LIFESTYLES) / num_homes
    print(f"\n{1000 * seconds:.0f} ms per home-year")
    peak = sum(share * peaks[name] for name, share in LIFESTYLE_SHARES.items())
    print(f"mean home of the mix: {mean_kwh.sum():.0f} kWh, monthly peak {peak:.2f} kW")
    ours = weekday_shape(mean_kwh, clock)
    references = bdew()
    for name, shape in references.items():
        print(f"workday of the mix against {name}: {distance(ours, shape)}")
    print(f"BDEW's two against each other: {distance(*references.values())}")
    if not options.toy:  # needs the data set of CityLearn
        compare_with_citylearn(ours, references["BDEW H25"])
    print("\nuses of the mean home, kWh")
    for use, energy in sorted(uses.items(), key=lambda item: -item[1]):
        print(f"  {use:28}{energy:6.0f}")
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
        draw(options.plots, days, ours, references, citylearn())


def compare_with_citylearn(ours: np.ndarray, standard: np.ndarray) -> None:
    """Print the distance of both workdays to the homes of CityLearn, by hour."""
    measured = citylearn()
    for name, shape in (("the mix", ours), ("BDEW H25", standard)):
        hourly = shape.reshape(24, 4).mean(axis=1)
        print(f"workday of {name} against CityLearn's homes (hourly): {distance(hourly, measured)}")


def draw(
    folder: Path,
    days: dict[str, np.ndarray],
    ours: np.ndarray,
    references: dict[str, np.ndarray],
    usa: np.ndarray,
) -> None:
    """The plots of docs/explanation/profiles.md."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    hours = (np.arange(96) + 0.5) / 4
    figure, axes = plt.subplots(
        2, 4, figsize=(12, 5.2), sharex=True, sharey=True, layout="constrained"
    )
    for axis, name in zip(axes.flat, LIFESTYLES, strict=True):
        weekday, weekend = days[name]
        axis.plot(hours, weekday, color="#005B96", label="Monday to Friday")
        axis.plot(hours, weekend, color="#E69F00", linestyle="--", label="weekend")
        axis.set(title=name.replace("_", " "), xlim=(0, 24), xticks=range(0, 25, 6))
        axis.grid(alpha=0.25)
    axes[0, 0].set_ylim(0, 1.05 * max(days[name].max() for name in LIFESTYLES))
    for axis in axes[:, 0]:
        axis.set_ylabel("mean W per home")
    for axis in axes[1]:
        axis.set_xlabel("hour of the local day")
    axes[0, 0].legend(frameon=False, loc="upper left")
    figure.savefig(folder / "load-days.png", dpi=110)

    figure, axes = plt.subplots(
        1, 2, figsize=(12, 3.8), layout="constrained", width_ratios=(1, 1.4)
    )
    axes[0].plot(hours, ours, color="#005B96", linewidth=2.2, label="prosumax, mix of lifestyles")
    styles = (("#B36B00", "--"), ("#E69F00", "-"))
    for (name, shape), (color, line) in zip(references.items(), styles, strict=True):
        axes[0].plot(hours, shape, color=color, linestyle=line, label=name)
    axes[0].step(
        np.arange(25),
        np.append(usa, usa[-1]),
        where="post",
        color="#777",
        label="CityLearn's homes",
    )
    axes[0].set(
        xlim=(0, 24),
        ylim=(0, None),
        xticks=range(0, 25, 3),
        xlabel="hour",
        ylabel="share of the mean",
    )
    axes[0].set_title("Mean workday")
    axes[0].legend(frameon=False, fontsize=8)
    for name, color in (("family", "#005B96"), ("single", "#E69F00")):
        week = days[f"{name} week"]
        axes[1].plot(
            np.arange(len(week)) / 96, week, color=color, linewidth=0.9, label=f"one {name} home"
        )
    axes[1].set(
        xlim=(0, 7), ylim=(0, None), xlabel="day of a week in January", ylabel="kW, quarter-hours"
    )
    axes[1].set_title("A week of two homes")
    axes[1].legend(frameon=False)
    for axis in axes:
        axis.grid(alpha=0.25)
    figure.savefig(folder / "load-shapes.png", dpi=110)


if __name__ == "__main__":
    main()
