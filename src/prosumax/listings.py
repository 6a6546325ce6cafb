"""Names and one-line descriptions of everything that a scenario can refer to by name."""

import yaml


def list_scenarios() -> dict[str, str]:
    """Return the descriptions of the scenarios that ship with the package, by name."""
    from prosumax.scenario.loading import scenario_preset_paths

    return {
        name: yaml.safe_load(path.read_text(encoding="utf-8"))["description"]
        for name, path in scenario_preset_paths().items()
    }


def list_tariffs() -> dict[str, str]:
    """Return the descriptions of the tariffs that ship with the package, by name."""
    from prosumax.scenario.tariff_presets import tariff_preset_paths

    return {
        name: yaml.safe_load(path.read_text(encoding="utf-8"))["description"]
        for name, path in tariff_preset_paths().items()
    }


def list_mechanisms() -> dict[str, str]:
    """Return the descriptions of the market mechanisms (`market.mechanism`), by name."""
    from prosumax.market import mechanisms

    return mechanisms.summaries()


def list_policies() -> dict[str, str]:
    """Return the descriptions of the policies that control homes (`policy`), by name."""
    from prosumax.control import policies

    return policies.summaries()


def list_algorithms() -> dict[str, str]:
    """Return the descriptions of the learning algorithms (`prosumax.train`), by name."""
    from prosumax.rl.algorithms import algorithms

    return algorithms.summaries()
