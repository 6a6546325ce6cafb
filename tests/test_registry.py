"""Registries: shipped modules and plugins load on the first lookup, and failures are explained."""

import json
import os
import subprocess
import sys
from importlib import import_module

import pytest

from prosumax import listings, plugins, registry
from prosumax.errors import InputError
from prosumax.plugins import PluginPackage, check_installed, plugin_failures
from prosumax.registry import Registry
from prosumax.scenario.loading import (
    dump_scenario,
    load_scenario,
    scenario_content,
    with_plugins,
)
from prosumax.scenario.schema.tariff import TariffRegistry

GROUP = "prosumax.gadgets"
OTHER_GROUP = "prosumax.tools"
API = "PROSUMAX_PLUGIN_API = 1\n"


@pytest.fixture(autouse=True)
def _fresh_state(monkeypatch, tmp_path):
    """Forget what other tests loaded, and keep the memory of packages in the test's folder."""
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(plugins, "_failures", [])
    monkeypatch.setattr(plugins, "_loaded_groups", set())
    monkeypatch.setattr(registry, "_REGISTRIES", [])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if not name.startswith("prosumax"):
            del sys.modules[name]


def write_package(folder, name, code, groups, version="1.0"):
    """Write a package as pip would install it: a module and its metadata."""
    module = name.replace("-", "_")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(code, "utf-8")
    metadata = folder / f"{module}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8"
    )
    entry_points = "".join(f"[{group}]\n{module} = {module}\n" for group in groups)
    (metadata / "entry_points.txt").write_text(entry_points, "utf-8")


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Return a function that makes a package importable; a second folder hides nothing."""

    def add(name, code, groups=(GROUP,), version="1.0"):
        folder = tmp_path / f"site-{name}"
        write_package(folder, name, code, groups, version)
        monkeypatch.syspath_prepend(folder)
        return folder

    return add


@pytest.fixture
def gadgets(monkeypatch):
    """Return a registry that the code of a plugin imports as `gadgets` of `shared_gadgets`."""
    made = Registry("gadget", group=GROUP)
    _share(monkeypatch, gadgets=made, tools=Registry("tool", group=OTHER_GROUP))
    return made


def _share(monkeypatch, **registries):
    module = type(sys)("shared_gadgets")
    vars(module).update(registries)
    monkeypatch.setitem(sys.modules, "shared_gadgets", module)


def _registers(name, into="gadgets"):
    return f"from shared_gadgets import {into}\n{into}.register({name!r}, 'From afar.')(1)\n"


def test_a_plugin_is_found_on_the_first_lookup(gadgets, install):
    install("good-plugin", API + _registers("lever"), version="2.3")
    gadgets.register("wheel", "Ships.")(0)
    assert "good_plugin" not in sys.modules
    assert gadgets.get("lever", "field") == 1
    assert list(gadgets) == ["wheel", "lever"]
    assert gadgets.origin("lever") == PluginPackage("good-plugin", "2.3")
    assert gadgets.origin("wheel") is None
    assert gadgets.failures() == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'."),
        ("raise SystemExit", "SystemExit without a message."),
        (_registers("lever"), "does not declare the version of the plugin interface. Add PROSUMAX"),
        ("PROSUMAX_PLUGIN_API = 7\n" + _registers("lever"), "written for version 7 of the plugin"),
        (
            API + _registers("wheel"),
            "gadget 'wheel' is already registered. A plugin cannot",
        ),
    ],
)
def test_a_broken_plugin_is_recorded_and_breaks_no_other(gadgets, install, code, reason):
    @gadgets.register("wheel", "Ships.")
    def wheel():
        pass

    # Outside prosumax, a component that was registered first ships as far as plugins can tell.
    install("bad-plugin", code)
    install("good-plugin", API + _registers("crank"))
    assert set(gadgets) == {"wheel", "crank"}
    assert gadgets.get("wheel", "field") is wheel
    (failure,) = gadgets.failures()
    assert (failure.group, failure.entry_point) == (GROUP, "bad_plugin")
    assert failure.package == PluginPackage("bad-plugin", "1.0")
    assert reason in failure.reason and failure.reason.endswith(".")
    with pytest.raises(InputError, match="Did you mean 'crank'.* bad-plugin failed to load"):
        gadgets.check("cranc", "field")


def test_a_collision_leaves_the_other_components_of_the_plugin(gadgets, install):
    install("first-plugin", API + _registers("lever"))
    install("second-plugin", API + _registers("lever") + _registers("pedal"))
    assert set(gadgets) == {"lever", "pedal"}
    (failure,) = gadgets.failures()
    owner = gadgets.origin("lever")
    assert owner is not None and f"already registered by {owner.name}" in failure.reason


@pytest.mark.parametrize("first", ["gadgets", "tools"])
def test_one_module_registers_into_several_registries(gadgets, install, first):
    code = API + _registers("lever") + _registers("saw", into="tools")
    install("both", code, groups=(GROUP, OTHER_GROUP))
    shared = sys.modules["shared_gadgets"]
    order = [shared.gadgets, shared.tools]
    for each in order if first == "gadgets" else reversed(order):
        each.load()
    assert list(shared.gadgets) == ["lever"] and list(shared.tools) == ["saw"]
    package = PluginPackage("both", "1.0")
    assert shared.gadgets.origin("lever") == shared.tools.origin("saw") == package
    assert plugin_failures() == []


def test_an_incompatible_module_leaves_nothing_in_any_registry(gadgets, install):
    install("old", _registers("lever") + _registers("saw", into="tools"))
    assert list(gadgets) == []
    assert list(sys.modules["shared_gadgets"].tools) == []


def test_a_plugin_may_look_up_components_while_it_loads(gadgets, install):
    install("eager", API + "from shared_gadgets import gadgets\nlist(gadgets)\n" + _registers("x"))
    assert list(gadgets) == ["x"] and gadgets.failures() == []


def test_a_plugin_that_was_imported_before_the_lookup_keeps_its_package(gadgets, install):
    install("early", API + _registers("lever"))
    __import__("early")
    assert gadgets.origin("lever") == PluginPackage("early", "1.0")


def test_shipped_modules_load_on_the_first_lookup_even_if_one_looks_up(monkeypatch, tmp_path):
    package = tmp_path / "shipped_gadgets"
    (package / "deep").mkdir(parents=True)
    for folder in (package, package / "deep"):
        (folder / "__init__.py").write_text("", "utf-8")
    (package / "a.py").write_text(
        "from shared_gadgets import gadgets\nassert 'wheel' not in gadgets\n", "utf-8"
    )
    (package / "deep" / "b.py").write_text(_registers("wheel"), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    made = Registry("gadget", package="shipped_gadgets")
    _share(monkeypatch, gadgets=made)
    assert "shipped_gadgets.a" not in sys.modules
    assert list(made) == ["wheel"]


def test_the_own_code_of_a_user_cannot_take_a_name_twice(gadgets):
    gadgets.register("wheel", "Mine.")(0)
    with pytest.raises(ValueError, match="gadget 'wheel' is already registered"):
        gadgets.register("wheel", "Mine too.")(0)


def test_a_component_of_another_class_is_refused(gadgets, install, monkeypatch):
    monkeypatch.setattr(gadgets, "_base", str)
    gadgets.register("text", "A text.")("text")
    gadgets.register("class", "A class of texts.")(type("Text", (str,), {}))
    with pytest.raises(TypeError, match="gadget 'number' must be of class str, got int"):
        gadgets.register("number", "A number.")(1)
    install("bad-plugin", API + _registers("lever"))
    assert list(gadgets) == ["text", "class"]
    assert "gadget 'lever' must be of class str" in gadgets.failures()[0].reason


def test_a_wrong_entry_point_is_recorded(gadgets, install):
    folder = install("bad-plugin", API)
    (entry_points,) = folder.glob("*.dist-info/entry_points.txt")
    entry_points.write_text(f"[{GROUP}]\nbad = not a module!\n", "utf-8")
    gadgets.register("wheel", "Mine.")(0)
    assert list(gadgets) == ["wheel"] and len(gadgets.failures()) == 1


def test_registries_need_no_jax():
    code = "import sys, prosumax.registry; sys.exit('jax' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_unknown_name_says_which_removed_package_had_it(gadgets, install, monkeypatch):
    folder = install("gone-plugin", API + _registers("lever"))
    assert "lever" in gadgets
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(folder)])
    later = Registry("gadget", group=OTHER_GROUP)
    with pytest.raises(InputError) as error:
        later.check("lever", "market.gadget")
    assert str(error.value) == (
        "market.gadget: there is no gadget 'lever'; it came from package 'gone-plugin', which is "
        "not installed. Install it with: pip install gone-plugin."
    )


def test_a_cache_that_cannot_be_written_or_read_is_ignored(gadgets, install, monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file", "utf-8")
    install("good-plugin", API + _registers("lever"))
    assert "lever" in gadgets
    with pytest.raises(InputError, match="there is no gadget 'x'"):
        gadgets.check("x", "field")
    for content in ("not JSON", "[1]", '{"gadget": 3}'):
        monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path / "other"))
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / "plugins.json").write_text(content, "utf-8")
        with pytest.raises(InputError, match="there is no gadget 'x'"):
            gadgets.check("x", "field")


def test_required_packages_must_be_installed():
    check_installed(["jax", "NumPy"], "street: plugins")
    for wrong in ("jax", ["jax>=1"], [""], [3]):
        with pytest.raises(InputError, match="plugins"):
            load_scenario("street", {"plugins": wrong})
    with pytest.raises(InputError) as error:
        load_scenario("street", {"plugins": ["jax", "no-such-plugin"], "homes.0.no_field": 1})
    assert str(error.value) == (
        "street: plugins.1: package no-such-plugin is not installed. "
        "Install it with: pip install no-such-plugin."
    )


def test_every_entry_point_group_has_a_registry(monkeypatch):
    monkeypatch.undo()
    for module in listings._REGISTRY_MODULES:
        import_module(module)
    assert {each.group for each in registry.open_registries()} == set(plugins.ENTRY_POINT_GROUPS)


def test_a_stored_scenario_lists_the_packages_that_it_uses(gadgets, install):
    install("good-plugin", API + _registers("lever") + _registers("Alma's home"))
    gadgets.load()
    plain = load_scenario("street", {"homes.0.name": "Alma's home"})
    assert "plugins: []" in dump_scenario(plain)
    market = plain.market.model_copy(update={"mechanism": "lever"})
    pulled = plain.model_copy(update={"market": market})
    assert "plugins:\n- good-plugin\n" in dump_scenario(pulled)
    assert scenario_content(pulled.model_copy(update={"plugins": ["jax"]}))["plugins"] == [
        "jax",
        "good-plugin",
    ]
    assert with_plugins(plain, pulled).plugins == ["good-plugin"]


def test_a_stored_scenario_lists_the_package_of_a_tariff_component(install, monkeypatch):
    components = TariffRegistry("tariff component", group=GROUP)
    _share(monkeypatch, gadgets=components)
    code = (
        API
        + "from prosumax.scenario.schema.tariff import TariffFields\n"
        + "from shared_gadgets import gadgets\n"
        + "class Levy(TariffFields):\n    moon_levy: float = 0.0\n"
        + "gadgets.register('levy', 'Levy of the moon.')(Levy)\n"
    )
    install("moon", code)
    assert list(components) == ["levy"] and components.failures() == []
    assert components.packages_providing(["moon_levy"]) == {"moon"}
    assert registry.packages_providing(["levy"]) == set()
    assert plugins.explain_missing("moon_levy", (GROUP,)) == ("", "")
    with pytest.raises(ValueError, match="Levy has the field 'moon_levy' of another component"):
        components.register("other", "Another levy.")(components.get("levy", "tariff"))
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "site-moon" not in entry])
    removed, fix = plugins.explain_missing("moon_levy", (GROUP,))
    assert "came from package 'moon'" in removed and fix == "Install it with: pip install moon."


CHART = """
import pandas as pd
from prosumax.viz import Chart, Figure, register

def data(result):
    return pd.DataFrame({"home": [home["name"] for home in result.households]})

def sentence(table, language):
    return f"There are {len(table)} homes."

def figure(table, theme, language):
    return Figure("far", "Far figure", sentence(table, language), {"series": []}, "homes")

register(Chart("far_chart", "Far chart", data, sentence, figure, section="energy"))
"""
MECHANISM = (
    "from prosumax.market import cascade, mechanisms\n"
    "mechanisms.register('{}', 'No exchange, from afar.')(cascade())\n"
)


def _prosumax(*arguments, path=(), cache):
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, [*path, *filter(None, sys.path)])),
        "PROSUMAX_CACHE_DIR": str(cache),
        "COLUMNS": "200",
    }
    command = [sys.executable, "-m", "prosumax", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=240, env=environment, check=False
    )


def test_the_command_line_finds_plugins_and_explains_what_is_missing(tmp_path):
    site = tmp_path / "site"
    both = ("prosumax.mechanisms", "prosumax.charts")
    write_package(site, "far-market", API + MECHANISM.format("far") + CHART, both)
    write_package(site, "clash", API + MECHANISM.format("mcafee"), ("prosumax.mechanisms",))
    write_package(site, "broken", "import nowhere", ("prosumax.charts",))
    write_package(site, "misspelled", API, ("prosumax.mechanism",))

    listed = _prosumax("plugins", "--json", path=[site], cache=tmp_path)
    assert listed.returncode == 0, listed.stderr
    content = json.loads(listed.stdout)
    chart, mechanism = content["components"]
    assert (chart["kind"], chart["name"], chart["summary"]) == ("chart", "far_chart", "Far chart")
    assert mechanism == {
        "group": "prosumax.mechanisms",
        "kind": "mechanism",
        "name": "far",
        "summary": "No exchange, from afar.",
        "package": "far-market",
        "version": "1.0",
    }
    reasons = {entry["package"]: entry["reason"] for entry in content["failures"]}
    assert "mechanism 'mcafee' is already registered" in reasons["clash"]
    assert "No module named 'nowhere'" in reasons["broken"]
    assert "Did you mean 'prosumax.mechanisms'?" in reasons["misspelled"]
    assert "failed to load: broken, clash, misspelled." in listed.stderr

    printed = _prosumax("plugins", path=[site], cache=tmp_path)
    assert printed.returncode == 0
    assert "far-market 1.0" in printed.stdout and "Failed to load" in printed.stdout
    mechanisms = _prosumax("mechanisms", path=[site], cache=tmp_path)
    assert "from afar. [far-market 1.0]" in mechanisms.stdout

    run = ("run", "street", "--set", "market.mechanism=far", "--set", "period.steps=4")
    out = tmp_path / "out"
    done = _prosumax(*run, "--out", str(out), path=[site], cache=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "plugins:\n- far-market\n" in (out / "scenario.yaml").read_text("utf-8")

    report = (out / "report.html").read_text("utf-8")
    assert "Far figure" in report and "There are 8 homes." in report

    removed = _prosumax(*run, cache=tmp_path)
    assert removed.returncode == 2
    assert "'far'; it came from package 'far-market', which is not installed" in removed.stderr
    stored = _prosumax("run", str(out / "scenario.yaml"), cache=tmp_path / "new")
    assert "plugins.0: package far-market is not installed. Install it with" in stored.stderr
