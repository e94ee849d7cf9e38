"""Pure choice: which deployments may take a call, and in which order. Knows tables and health; refuses to know I/O."""

from freehold.routing.breaker import Breaker, BreakerSettings
from freehold.routing.choose import Candidate, candidates
from freehold.routing.table import Deployment, Route, Table, Target

__all__ = ["Breaker", "BreakerSettings", "Candidate", "Deployment", "Route", "Table", "Target", "candidates"]
