"""The control that takes a visitor's file: sent over HTTP in one piece, answered with what was understood."""

from collections.abc import Callable
from typing import Any

from prosumax.web import kit
from prosumax.web.model.own_data import OwnData
from prosumax.web.model.translations import Words, texts
from prosumax.web.server.services import services

# Texts never pass through here: the page says what came back by its key.
_SEND = """async (e) => {
  const file = e.target.files?.[0];
  if (!file) return;
  e.target.value = '';
  if (file.size > 2000000) return emit({error: {reason: 'too_big'}});
  try {
    const answer = await fetch('/api/upload', {method: 'POST', body: file});
    emit(await answer.json());
  } catch { emit({error: {reason: 'network'}}); }
}"""


def upload_field(words: Words, on_taken: Callable[[str, OwnData], Any]) -> None:
    """Drop zone, format and example, and what was wrong; nothing changes after an error.

    Arguments:
        words: of the page's language.
        on_taken: gets the file's token and what was understood.
    """
    with kit.tag("div", "x-drop"):
        number = kit.unique("file")
        kit.attributes(
            kit.Text("label", f"{words('upload.choose')} {words('upload.drop')}"), for_=number
        )
        control = kit.tag(
            "input", type="file", id=number, accept=".csv,.tsv,.txt", data_testid="upload"
        )
        kit.Text("p", words("upload.format"), "x-hint")
        kit.Text("p", words("upload.operators"), "x-hint")
        example = kit.link(words("upload.example"), "/static/example-homes.csv", "x-small-link")
        kit.attributes(example, download="example-homes.csv")
        said = kit.attributes(
            kit.Text("p", "", "x-error"), role="alert", data_testid="upload-error"
        )
        said.set_visibility(False)

    def answered(event: Any) -> None:
        answer = event.args if isinstance(event.args, dict) else {}
        token = str(answer.get("token", ""))
        found = services().uploads.get(token)
        said.set_visibility(found is None)
        if found is not None:
            on_taken(token, found)
        else:
            error = answer.get("error")
            said.set_text(refusal_text(words, error if isinstance(error, dict) else {}))

    control.on("change", answered, js_handler=_SEND)


def refusal_text(words: Words, error: dict[str, Any]) -> str:
    """Why a file was not taken, in the visitor's language.

    Arguments:
        words: of the page.
        error: fields of an `own_data.Refusal`; what is not understood counts as unreadable.
    """
    reason, line = str(error.get("reason", "unreadable")), error.get("line")
    keys = (f"upload.error_{reason}", f"upload.error_{reason}_any")
    key = keys[1] if line is None and keys[1] in texts(words.lang) else keys[0]
    if key not in texts(words.lang):
        key = "upload.error_unreadable"
    count = error.get("n", 0)
    values = {"line": line, "n": count if isinstance(count, int) else 0}
    text = words(
        key, **values, cell=str(error.get("cell", ""))[:24], said=str(error.get("said", ""))[:200]
    )
    if line is not None and "{line}" not in str(texts(words.lang)[key]):
        text = f"{words('upload.at_line', line=line)} {text}"
    return f"{text} {words('upload.kept')}"


def found_text(words: Words, found: OwnData) -> str:
    """What was understood of a file."""
    homes = words("community.homes_n", n=len(found.names))
    parts = [words("upload.found", homes=homes, n=found.days, first=found.first)]
    for name in ("filled", "dropped"):
        if count := getattr(found, name):
            parts.append(words(f"upload.{name}", n=count))
    return " ".join(parts)
