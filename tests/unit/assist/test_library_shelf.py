from __future__ import annotations

from urllib.parse import quote

import pytest
from shelves import Desk, conversation, member, say

from freehold.assist import memories, projects, prompts
from freehold.assist.assistants import find_assistant
from freehold.assist.conversations import Conversations
from freehold.assist.prompts import Variable
from freehold.core.errors import BadRequest, NotFound
from freehold.store import Store


async def made(client: object, what: str, **body: object) -> dict[str, object]:
    answer = await client.post(f"/api/{what}", json=body)  # type: ignore[attr-defined]
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_projects_lie_in_each_other_and_never_in_a_circle(desk: Desk) -> None:
    outer = await made(desk.ann, "projects", name="Outer", instructions="be brief")
    middle = await made(desk.ann, "projects", name="Middle", parent=outer["id"], kind="folder")
    inner = await made(desk.ann, "projects", name="inner", parent=middle["id"], instructions="in German")
    assert await projects.instructions(desk.store, "mem_ann", inner["id"]) == ["be brief", "in German"]
    assert await projects.instructions(desk.store, "mem_ben", inner["id"]) == []
    assert await projects.instructions(desk.store, "mem_ann", None) == []
    for parent in (outer["id"], inner["id"]):
        answer = await desk.ann.patch(f"/api/projects/{outer['id']}", json={"parent": inner["id"]})
        assert answer.status_code == 400, parent
    assert (await desk.ann.patch(f"/api/projects/{inner['id']}", json={"parent": None})).json()["parent"] is None
    assert [each["name"] for each in (await desk.ann.get("/api/projects")).json()] == ["inner", "Middle", "Outer"]
    assert (await desk.ben.get("/api/projects")).json() == []


async def test_a_circle_that_is_there_hangs_nothing(desk: Desk) -> None:
    one = await made(desk.ann, "projects", name="One", instructions="1")
    two = await made(desk.ann, "projects", name="Two", parent=one["id"], instructions="2")
    await desk.store.write(("UPDATE project SET parent = ? WHERE id = ?", [(two["id"], one["id"])]))
    assert await projects.instructions(desk.store, "mem_ann", two["id"]) == ["1", "2"]
    assert (await desk.ann.patch(f"/api/projects/{one['id']}", json={"parent": None})).status_code == 200


async def test_projects_are_not_too_deep(desk: Desk) -> None:
    above = None
    for _ in range(8):
        above = (await made(desk.ann, "projects", name="P", parent=above))["id"]
    assert (await desk.ann.post("/api/projects", json={"name": "P", "parent": above})).status_code == 400


async def test_nothing_of_a_project_is_anybody_elses(desk: Desk) -> None:
    project = await made(desk.ann, "projects", name="Mine")
    file = (await desk.ann.post("/api/files", content=b"x")).json()
    at = f"/api/projects/{project['id']}"
    assert (await desk.ben.patch(at, json={"name": "x"})).status_code == 404
    assert (await desk.ben.delete(at)).status_code == 404
    assert (await desk.ben.post("/api/projects", json={"name": "x", "parent": project["id"]})).status_code == 404
    assert (await desk.ben.post("/api/projects", json={"name": "x", "files": [file["id"]]})).status_code == 404
    changed = (await desk.ann.patch(at, json={"files": [file["id"]], "instructions": "a\0b"})).json()
    assert changed["files"] == [file] and changed["instructions"] == "ab"
    assert await projects.files_of(desk.store, "mem_ann", project["id"]) == [file["id"]]
    await desk.ann.delete(f"/api/files/{file['id']}")
    assert (await desk.ann.get("/api/projects")).json()[0]["files"] == []


@pytest.mark.parametrize("fate", ["keep", "delete"])
async def test_deleting_a_project(desk: Desk, fate: str) -> None:
    outer = await made(desk.ann, "projects", name="Outer")
    project = await made(desk.ann, "projects", name="Gone", parent=outer["id"])
    inner = await made(desk.ann, "projects", name="Inner", parent=project["id"])
    inside = await conversation(desk.store, "ann", "Inside", project=project["id"])
    await say(desk.store, "ann", inside, "words inside")
    await desk.ann.post(f"/api/conversations/{inside}/shares")
    await memories.propose(desk.store, "mem_ann", "Likes tea", inside, None)
    outside = await conversation(desk.store, "ann", "Outside", project=inner["id"])
    answer = await desk.ann.delete(f"/api/projects/{project['id']}", params={"conversations": fate})
    assert answer.status_code == 204
    assert desk.gone == ([inside] if fate == "delete" else [])
    kept = {"keep": [(inside, None), (outside, inner["id"])], "delete": [(outside, inner["id"])]}[fate]
    assert sorted(await desk.store.fetch("SELECT id, project FROM conversation")) == sorted(kept)
    left = 1 if fate == "keep" else 0
    for table in ("message", "message_search", "share", "memory"):
        assert await desk.store.fetch(f"SELECT COUNT(*) FROM {table}") == [(left,)], table
    ((parent,),) = await desk.store.fetch("SELECT parent FROM project WHERE id = ?", inner["id"])
    assert parent == outer["id"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello", []),
        ("{{name}} and {{ other name }}", [Variable("name"), Variable("other name")]),
        ("{{tone=friendly}}", [Variable("tone", default="friendly")]),
        ("{{tone: kind | strict}}", [Variable("tone", "choice", ["kind", "strict"], "kind")]),
        ("{{text:long}}", [Variable("text", "long")]),
        ("{{a}} {{a=1}} {{a}}", [Variable("a", default="1")]),
        ("{{größe_1-b}}", [Variable("größe_1-b")]),
        ("{{ user.name }} {{}} {{{x}}} {{#if}} { {a} }", [Variable("x")]),
        ("{{a=<b>\"'}}", [Variable("a", default="<b>\"'")]),
    ],
)
def test_places_of_a_prompt(text: str, found: list[Variable]) -> None:
    assert prompts.variables(text) == found


@pytest.mark.parametrize(
    "text", ["{{a:}}", "{{a:x||y}}", "{{a:x|x}}", "{{a=1}} {{a=2}}", "{{a:long}} {{a:x|y}}",
             " ".join(f"{{{{v{n}}}}}" for n in range(21))],
)  # fmt: skip
def test_wrong_places_of_a_prompt_are_refused(text: str) -> None:
    with pytest.raises(BadRequest) as e:
        prompts.variables(text)
    assert e.value.code == "prompt_variable" and e.value.hint


async def test_prompts_are_shared_and_changed_by_their_owner_or_an_admin(desk: Desk) -> None:
    own = await made(desk.ann, "prompts", name="Mail", text="Write to {{whom}}")
    assert own["variables"] == [{"name": "whom", "kind": "text", "choices": [], "default": ""}] and own["own"]
    at = f"/api/prompts/{own['id']}"
    assert (await desk.ben.get("/api/prompts")).json() == []
    for other in (desk.ben, desk.ada):
        assert (await other.patch(at, json={"name": "x"})).status_code == 404
    await desk.ann.patch(at, json={"shared": True})
    (seen,) = (await desk.ben.get("/api/prompts")).json()
    assert seen == own | {"shared": True, "own": False}
    assert (await desk.ben.patch(at, json={"name": "x"})).json()["error"]["code"] == "not_yours"
    assert (await desk.ben.delete(at)).status_code == 403
    assert (await desk.ada.patch(at, json={"name": "Letter"})).json()["name"] == "Letter"
    assert (await desk.ann.patch(at, json={"text": "{{x:}}"})).status_code == 400
    assert (await desk.ada.delete(at)).status_code == 204
    assert (await desk.ann.get("/api/prompts")).json() == []


async def test_assistants(desk: Desk) -> None:
    file = (await desk.ann.post("/api/files", params={"name": "a.txt"}, content=b"x")).json()
    body = {"name": "Guide", "description": "d", "instructions": "i", "files": [file["id"]], "tools": ["search"],
            "models": ["small", "small"], "starters": ["Hi", " "]}  # fmt: skip
    own = await made(desk.ann, "assistants", **body)
    assert own == {**body, "id": own["id"], "files": [file], "models": ["small"], "starters": ["Hi"], "shared": False,
                   "own": True}  # fmt: skip
    at = f"/api/assistants/{own['id']}"
    with pytest.raises(NotFound):
        await find_assistant(desk.store, member("ben"), own["id"])
    assert (await desk.ben.get(at)).status_code == 404
    await desk.ann.patch(at, json={"shared": True})
    found = await find_assistant(desk.store, member("ben"), own["id"])
    assert (found.own, found.models, [each.id for each in found.files]) == (False, ["small"], [file["id"]])
    assert (await desk.ben.patch(at, json={"models": []})).status_code == 403
    # An admin may change it, but puts in no file that is somebody else's
    bens = (await desk.ben.post("/api/files", content=b"y")).json()
    assert (await desk.ada.patch(at, json={"files": [file["id"], bens["id"]]})).status_code == 404
    assert (await desk.ada.patch(at, json={"files": [file["id"]], "name": "Guide 2"})).json()["name"] == "Guide 2"
    talk = await conversation(desk.store, "ben", "x", assistant=own["id"])
    assert (await desk.ada.patch(at, json={"shared": False})).json()["shared"] is False
    assert (await desk.ada.get(at)).status_code == 404 and (await desk.ann.get(at)).status_code == 200
    assert (await desk.ann.delete(at)).status_code == 204
    assert await desk.store.fetch("SELECT assistant FROM conversation WHERE id = ?", talk) == [(None,)]


async def test_nobody_lends_out_a_file_of_somebody_else(desk: Desk) -> None:
    """Naming a file in an assistant of one's own must not make it readable."""
    secret = (await desk.ann.post("/api/files", content=b"secret")).json()["id"]
    for body in ({"name": "x", "shared": True, "files": [secret]}, {"name": "x", "files": [secret]}):
        assert (await desk.ben.post("/api/assistants", json=body)).status_code == 404
    mine = await made(desk.ben, "assistants", name="x", shared=True)
    answer = await desk.ben.patch(f"/api/assistants/{mine['id']}", json={"files": [secret]})
    assert answer.status_code == 404
    assert (await desk.ben.get(f"/api/files/{secret}")).status_code == 404


async def test_memories_wait_for_their_member(desk: Desk) -> None:
    store = desk.store
    proposed = await memories.propose(store, "mem_ann", "  Prefers\nmetric units\0 ", "conv_1", "msg_1")
    assert proposed is not None and (proposed.text, proposed.state) == ("Prefers metric units", "proposed")
    assert await memories.approved(store, "mem_ann") == []
    assert await memories.propose(store, "mem_ann", "prefers METRIC units!", None, None) is None
    assert await memories.propose(store, "mem_ann", " \u202e ", None, None) is None
    assert (await desk.ben.patch(f"/api/memories/{proposed.id}", json={"state": "approved"})).status_code == 404
    answer = await desk.ann.patch(f"/api/memories/{proposed.id}", json={"state": "approved"})
    assert answer.json()["state"] == "approved" and answer.json()["conversation"] == "conv_1"
    own = await made(desk.ann, "memories", text="Lives in Ghent")
    assert own["state"] == "approved"
    assert await memories.approved(store, "mem_ann") == ["Prefers metric units", "Lives in Ghent"]
    assert await memories.approved(store, "mem_ben") == []
    assert (await desk.ann.post("/api/memories", json={"text": "lives in ghent"})).json()["error"][
        "code"
    ] == "memory_full"
    assert (await desk.ben.delete(f"/api/memories/{own['id']}")).status_code == 404
    assert (await desk.ann.delete(f"/api/memories/{own['id']}")).status_code == 204


async def test_what_a_deleted_talk_proposed_goes_with_it(shelf: Store) -> None:
    talk = await conversation(shelf, "ann", "Tea")
    for text in ("Likes tea", "Drinks it black"):
        assert await memories.propose(shelf, "mem_ann", text, talk, "msg_1")
    await shelf.write(("UPDATE memory SET state = 'approved' WHERE text = ?", [("Likes tea",)]))
    await Conversations(shelf).delete("mem_ann", talk)
    (left,) = await memories.all_of(shelf, "mem_ann")
    assert (left.text, left.state, left.conversation, left.message) == ("Likes tea", "approved", None, None)


async def test_memories_are_bounded(shelf: Store) -> None:
    for number in range(memories.MOST + 5):
        await memories.propose(shelf, "mem_ann", f"fact {number} " + "x" * 600, None, None)
    kept = await memories.all_of(shelf, "mem_ann")
    assert len(kept) == memories.MOST and {len(each.text) for each in kept} == {memories.LENGTH}


@pytest.mark.parametrize("what", ["projects", "prompts", "assistants", "memories"])
@pytest.mark.parametrize(
    "body", [{}, {"name": 1}, {"name": "", "text": ""}, {"name": "a" * 10_000, "text": "b" * 100_000}, {"name": "\0 "},
             {"name": "x", "text": "y", "bogus": 1}],
)  # fmt: skip
async def test_wrong_bodies_are_refused(desk: Desk, what: str, body: dict[str, object]) -> None:
    answer = await desk.ann.post(f"/api/{what}", json=body)
    assert answer.status_code == 400 and answer.json()["error"]["message"]
    raw = await desk.ann.post(
        f"/api/{what}", content=b'{"name": "\\ud800", "text": "\\ud800"}', headers={"content-type": "application/json"}
    )
    assert raw.status_code in (201, 400)
    assert (await desk.nobody.post(f"/api/{what}", json=body)).status_code == 401


async def test_strange_ids_are_not_found(desk: Desk) -> None:
    for id in ("x", "'; DROP TABLE project; --", "%", "_", "..", "a b", "😀", "x" * 500):
        for what in ("projects", "prompts", "assistants", "memories", "files"):
            assert (await desk.ann.delete(f"/api/{what}/{quote(id)}")).status_code == 404, (what, id)
