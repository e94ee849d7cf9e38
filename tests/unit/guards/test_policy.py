"""Which policies hold for a call, and how much is remembered of that."""

from __future__ import annotations

from freehold.guards.policy import Plan, Policies, Policy


def test_a_plan_is_made_once_and_not_kept_for_names_that_nobody_has() -> None:
    policies = Policies({"all": Policy(), "some": Policy(routes=("chat*",))})
    plan = policies.plan("k", "", "chat", "", "internal")
    assert plan is not None and plan.names == ("all", "some")
    assert policies.plan("k", "", "chat", "", "internal") is plan
    for n in range(3000):
        policies.plan("k", "", f"chat-{n}", "", "internal")
    assert len(policies._plans) <= 1024
    before = len(policies._plans)
    long = policies.plan("k", "", "chat" * 100_000, "", "internal")
    assert isinstance(long, Plan) and long.names == ("all", "some")
    assert len(policies._plans) == before
