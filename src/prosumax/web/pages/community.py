"""Page: community."""

from prosumax.web import kit, state
from prosumax.web.view import View


def build(view: View[state.Community], banner: kit.Banner) -> None:
    """Lay the page out."""
    kit.Text("h1", view.words("common.community"))
