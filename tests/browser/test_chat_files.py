"""Files and images: dropped, chosen and pasted; whole or in passages, and it is said which; what is no file of ours."""

from __future__ import annotations

import base64
from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.conftest import Watch
from tests.browser.people import Chat, Person
from tests.papers import PNG, pdf


def chips(chat: Chat) -> Locator:
    return chat.page.get_by_role("list", name="Attached files").get_by_role("listitem")


def arrived(chat: Chat, count: int = 1) -> None:
    """Wait until what was added is on the server."""
    expect(chips(chat)).to_have_count(count)
    expect(chat.page.locator(".composer progress")).to_have_count(0)


def sent(ann: Person) -> Any:
    """The content of the last question as the model got it."""
    return ann.hall.vendor.seen[-1].json()["messages"][-1]["content"]


def test_a_file_that_fits_goes_along_whole(ann: Person) -> None:
    chat = ann.page()
    chat.drop("notes.md", "# Notes\n\nThe xylophone is under the stairs.", "text/markdown")
    arrived(chat)
    expect(chips(chat)).to_contain_text("notes.md")
    expect(chips(chat)).to_contain_text("tokens")
    chat.ask("Where is it?")
    chip = chat.questions.first.get_by_role("link", name="notes.md")
    expect(chip).to_contain_text("whole, ")
    assert "The xylophone is under the stairs." in str(sent(ann))
    with chat.page.expect_download() as download:
        chip.click()
    assert download.value.suggested_filename == "notes.md"
    chat.page.reload()
    expect(chat.questions.first).to_contain_text("whole, ")
    chat.ask("And now?")
    assert "under the stairs" in str(ann.hall.vendor.seen[-1].json()["messages"]), "it goes along with what follows"


def test_of_a_long_file_the_passages_that_fit_and_it_is_said(ann: Person) -> None:
    text = "\n\n".join(f"Paragraph {n} is about {'the zebra' if n == 321 else 'nothing'}. " * 9 for n in range(400))
    ann.settings(models=["mini"])
    chat = ann.page()
    chat.drop("long.txt", text)
    arrived(chat)
    chat.ask("What about the zebra?")
    expect(chat.questions.first.get_by_role("link", name="long.txt")).to_contain_text("nearest to the question")
    assert "Paragraph 321 is about the zebra" in sent(ann) and len(sent(ann)) < len(text) / 2


def test_a_table_in_part_warns_of_counting(ann: Person) -> None:
    rows = "".join(f"{n},name{n},city{n % 7}\n" for n in range(6000))
    ann.settings(models=["mini"])
    chat = ann.page()
    chat.drop("people.csv", "id,name,city\n" + rows, "text/csv")
    arrived(chat)
    chat.ask("How many live in city3?")
    expect(chat.questions.first).to_contain_text("counts and sums over it would be wrong")


def test_files_are_chosen_pasted_and_taken_off(ann: Person) -> None:
    chat = ann.page()
    with chat.page.expect_file_chooser() as chooser:
        chat.menu("Add files, prompts and tools", "Files and images")
    files: Any = [
        {"name": "paper.pdf", "mimeType": "application/pdf", "buffer": pdf([["The moon is far"], ["The sun is near"]])},
        {"name": "data.json", "mimeType": "application/json", "buffer": b'{"moon": 384400}'},
        {"name": "code.py", "mimeType": "text/x-python", "buffer": b"print(1)"},
    ]
    chooser.value.set_files(files)
    arrived(chat, 3)
    chat.button("Remove code.py").click()
    expect(chips(chat)).to_have_count(2)
    expect(chat.box).to_be_focused()
    chat.page.reload()
    expect(chips(chat)).to_have_count(2)
    chat.ask("Read this")
    assert "The sun is near" in str(sent(ann)) and "384400" in str(sent(ann)) and "print(1)" not in str(sent(ann))
    expect(chips(chat)).to_have_count(0)


def test_an_image_goes_to_a_model_that_sees(ann: Person) -> None:
    chat = ann.page()
    script = """([data]) => {
        const clipboardData = new DataTransfer();
        const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
        clipboardData.items.add(new File([bytes], "dot.png", { type: "image/png" }));
        const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
        document.getElementById("message").dispatchEvent(event);
    }"""
    chat.page.evaluate(script, [base64.b64encode(PNG).decode()])
    arrived(chat)
    chat.ask("What is this?")
    urls = [part["image_url"]["url"] for part in sent(ann) if part["type"] == "image_url"]
    assert urls == ["data:image/png;base64," + base64.b64encode(PNG).decode()]
    picture = chat.questions.first.get_by_role("img", name="dot.png")
    expect(picture).to_be_visible()
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 1
    chat.menu("Ask another model the same", "mini", chat.answers.first)
    expect(chat.answers.first.locator(".facts-line")).to_contain_text("mini")
    assert "image_url" not in str(sent(ann)), "one that does not see gets no picture"


def test_an_answer_is_asked_for_with_a_file_alone(ann: Person) -> None:
    chat = ann.page()
    chat.drop("lonely.txt", "only this")
    arrived(chat)
    chat.button("Send").click()
    expect(chat.answers.first.locator(".facts-line")).to_be_visible()
    expect(chat.page.get_by_role("heading", level=1)).to_have_text("lonely.txt")


def test_what_is_no_file_of_ours_is_refused_in_words(ann: Person, watch: Watch) -> None:
    watch.allow("40[0-9]|415|422")
    chat = ann.page()
    chat.drop("program.exe", b"MZ\x90\0\3\0\0\0\4" + bytes(range(256)) * 20, "application/octet-stream")
    bad = chat.page.locator(".file-chip.bad")
    expect(bad).to_contain_text("program.exe")
    refusal = bad.locator(".faint").inner_text()
    assert len(refusal) > 20 and "undefined" not in refusal, refusal
    chat.ask("without it")
    assert sent(ann) == "without it"


def test_names_of_files_are_names(ann: Person) -> None:
    chat = ann.page()
    evil = "<img src=x onerror=stolen=1>\u202efdp.txt"
    chat.drop(evil, "harmless")
    arrived(chat)
    expect(chips(chat)).to_contain_text("<img src=x onerror=stolen=1>")
    chat.ask("<script>stolen=1</script> what is it?")
    expect(chat.questions.first).to_contain_text("img src=x onerror=stolen=1")
    expect(chat.questions.first).to_contain_text("<script>stolen=1</script>")
    assert "\u202e" not in chat.questions.first.inner_text(), "nothing turns a name around"
    chat.page.reload()
    expect(chat.questions.first).to_contain_text("img src=x onerror=stolen=1")
    assert chat.page.evaluate("window.stolen") is None
    expect(chat.page.locator(".turn img, .turn script, nav img")).to_have_count(0)


def test_files_of_one_question_stay_when_it_is_edited(ann: Person) -> None:
    chat = ann.page()
    chat.drop("a.txt", "the word is plum")
    arrived(chat)
    chat.ask("Which word?")
    chat.button("Edit", chat.questions.first).click()
    form = chat.questions.first.get_by_role("textbox")
    form.fill("Which word, again?")
    chat.button("Send", chat.questions.first).click()
    expect(chat.answers.first).to_contain_text("Which word, again?")
    assert "the word is plum" in str(sent(ann))
    expect(chat.questions.first).to_contain_text("a.txt")
