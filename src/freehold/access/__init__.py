"""Who may call, and how much: keys, teams, limits, meters; who signs in: members, sessions. Refuses to know HTTP and
the insides of routes."""

from __future__ import annotations

from freehold.access.estimate import bound
from freehold.access.keys import Key, KeyRing, create, expiry, list_keys, load, revoke
from freehold.access.limits import CURRENCY, Limit, opened, parse, parse_all
from freehold.access.members import RANKS, Member, Role
from freehold.access.memory import LimitsMemory
from freehold.access.meter import Meter, Reservation, Standing
from freehold.access.passwords import Passwords
from freehold.access.sessions import Session, Sessions
from freehold.access.shared_meter import SharedMeter
from freehold.access.store_meter import StoreMeter, holder
from freehold.access.teams import Team, create_team, disable_team, find_team, list_teams, update_team

__all__ = [
    "CURRENCY",
    "RANKS",
    "Key",
    "KeyRing",
    "Limit",
    "LimitsMemory",
    "Member",
    "Meter",
    "Passwords",
    "Reservation",
    "Role",
    "Session",
    "Sessions",
    "SharedMeter",
    "Standing",
    "StoreMeter",
    "Team",
    "bound",
    "create",
    "create_team",
    "disable_team",
    "expiry",
    "find_team",
    "holder",
    "list_keys",
    "list_teams",
    "load",
    "opened",
    "parse",
    "parse_all",
    "revoke",
    "update_team",
]
