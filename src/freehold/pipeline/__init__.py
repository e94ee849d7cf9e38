"""The one way through the house: admit, choose, record, attempt, meter, record. Refuses to know HTTP at the door."""

from freehold.pipeline.flow import Pipeline
from freehold.pipeline.snapshot import Snapshot
from freehold.pipeline.turn import About, Receiver, Reply

__all__ = ["About", "Pipeline", "Receiver", "Reply", "Snapshot"]
