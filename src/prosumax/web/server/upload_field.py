"""Form control for uploading a meter file, and the texts about an uploaded file."""

from collections.abc import Callable

from nicegui.events import GenericEventArguments

from prosumax.web import kit
from prosumax.web.model.own_data import OwnData
from prosumax.web.model.translations import Translator, load_texts
from prosumax.web.server.services import get_services

# The script returns keys of errors; their texts are translated by the page.
_UPLOAD_SCRIPT = """async (e) => {
  const file = e.target.files?.[0];
  if (!file) return;
  e.target.value = '';
  if (file.size > 2000000) return emit({error: {reason: 'too_big'}});
  try {
    const answer = await fetch('/api/upload', {method: 'POST', body: file});
    emit(await answer.json());
  } catch { emit({error: {reason: 'network'}}); }
}"""


def add_upload_field(tr: Translator, on_upload: Callable[[str, OwnData], object]) -> None:
    """Add a file control with a description of the format, an example and an error line.

    Args:
        tr: Translator of the page's language.
        on_upload: Called with the token and the description of an accepted file.
    """
    with kit.tag("div", "x-drop"):
        control_id = kit.unique_id("file")
        label = kit.Text("label", f"{tr('upload.choose')} {tr('upload.drop')}")
        kit.set_attributes(label, for_=control_id)
        control = kit.tag(
            "input", type="file", id=control_id, accept=".csv,.tsv,.txt", data_testid="upload"
        )
        kit.Text("p", tr("upload.format"), "x-hint")
        kit.Text("p", tr("upload.operators"), "x-hint")
        example = kit.link(tr("upload.example"), "/static/example-homes.csv", "x-small-link")
        kit.set_attributes(example, download="example-homes.csv")
        error_line = kit.Text("p", "", "x-error")
        kit.set_attributes(error_line, role="alert", data_testid="upload-error")
        error_line.set_visibility(False)

    def handle_answer(event: GenericEventArguments) -> None:
        answer = event.args if isinstance(event.args, dict) else {}
        token = str(answer.get("token", ""))
        data = get_services().uploads.get(token)
        error_line.set_visibility(data is None)
        if data is not None:
            on_upload(token, data)
        else:
            error = answer.get("error")
            error_line.set_text(rejection_text(tr, error if isinstance(error, dict) else {}))

    control.on("change", handle_answer, js_handler=_UPLOAD_SCRIPT)


def rejection_text(tr: Translator, error: dict[str, object]) -> str:
    """Return the translated reason why a file was rejected.

    Args:
        tr: Translator of the page's language.
        error: Fields of an `own_data.Rejection`; an unknown reason reads as `unreadable`.
    """
    texts = load_texts(tr.lang)
    reason = str(error.get("reason", "unreadable"))
    line = error.get("line")
    key = f"upload.error_{reason}"
    if line is None and f"{key}_any" in texts:
        key = f"{key}_any"
    if key not in texts:
        key = "upload.error_unreadable"
    count = error.get("count", 0)
    text = tr(
        key,
        line=line,
        n=count if isinstance(count, int) else 0,
        cell=str(error.get("cell", ""))[:24],
        message=str(error.get("message", ""))[:200],
    )
    if line is not None and "{line}" not in str(texts[key]):
        text = f"{tr('upload.at_line', line=line)} {text}"
    return f"{text} {tr('upload.kept')}"


def own_data_text(tr: Translator, data: OwnData) -> str:
    """Return a translated summary of an accepted file.

    Args:
        tr: Translator of the page's language.
        data: Description of the file.
    """
    homes = tr("community.homes_n", n=len(data.names))
    parts = [tr("upload.found", homes=homes, n=data.days, first=data.first_day)]
    for name in ("filled", "dropped"):
        if count := getattr(data, name):
            parts.append(tr(f"upload.{name}", n=count))
    return " ".join(parts)
