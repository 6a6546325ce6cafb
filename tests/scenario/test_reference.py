"""The reference page of the scenario fields is up to date and complete."""

from pathlib import Path

from prosumax.scenario.reference import reference_page
from prosumax.scenario.schema.community import HomeConfig, Scenario

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "fields.md"


def test_page_is_up_to_date():
    assert PAGE.read_text("utf-8") == reference_page(), "Run `make reference`."


def test_page_has_every_field_of_scenario_and_home():
    page = reference_page()
    for field in (*Scenario.model_fields, *HomeConfig.model_fields):
        assert f"| `{field}` |" in page
